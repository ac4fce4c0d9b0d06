import Foundation
import Testing

/// Bytes of addresses that this process has taken.
func addressByteCount() throws -> Int {
  let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
  let pageCount = try #require(text.split(separator: " ").first.flatMap { Int($0) })
  return pageCount * sysconf(Int32(_SC_PAGESIZE))
}

func limitAddresses(to byteCount: Int) throws {
  let resource = __rlimit_resource_t(RLIMIT_AS.rawValue)
  var limit = rlimit()
  try #require(getrlimit(resource, &limit) == 0)
  limit.rlim_cur = min(limit.rlim_max, rlim_t(byteCount))
  try #require(setrlimit(resource, &limit) == 0)
}

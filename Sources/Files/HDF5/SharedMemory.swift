import Glibc

/// Anonymous memory that a forked child writes and this process then reads.
///
/// Unchecked sendable because it is only written by a child that has ended before it is shared.
final class SharedMemory: BytesOwner, @unchecked Sendable {
  let start: UnsafeMutableRawPointer
  let count: Int

  /// Nil if the system has not that much address space; pages take memory when they are written.
  init?(count: Int) {
    let mapped = mmap(
      nil, max(count, 1), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let mapped, mapped != MAP_FAILED else { return nil }
    start = mapped
    self.count = count
  }

  deinit { munmap(start, max(count, 1)) }

  func bytes(count: Int) -> Bytes {
    precondition(count <= self.count)
    return Bytes(owner: self, start: UnsafeRawPointer(start), count: count)
  }
}

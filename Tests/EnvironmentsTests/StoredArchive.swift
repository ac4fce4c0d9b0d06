import CZlib
import Foundation

/// The arrays of a small `.npz` file: a zip archive of deflated `.npy` files.
struct StoredArchive {
  struct Unreadable: Error { var reason: String }

  private var members: [String: Data] = [:]

  init(contentsOf file: URL) throws {
    let data = try Data(contentsOf: file)
    func number(_ offset: Int, _ size: Int) -> Int {
      (0..<size).reduce(0) { $0 | Int(data[offset + $1]) << (8 * $1) }
    }
    // The directory's end: 22 bytes, no comment.
    let end = data.count - 22
    guard end >= 0, number(end, 4) == 0x0605_4b50 else { throw Unreadable(reason: "no directory") }
    var entry = number(end + 16, 4)
    for _ in 0..<number(end + 10, 2) {
      let (packedSize, size) = (number(entry + 20, 4), number(entry + 24, 4))
      let (nameSize, local) = (number(entry + 28, 2), number(entry + 42, 4))
      let name = String(decoding: data[entry + 46..<entry + 46 + nameSize], as: UTF8.self)
      let start = local + 30 + number(local + 26, 2) + number(local + 28, 2)
      members[name] = try Self.inflate(data[start..<start + packedSize], size: size)
      entry += 46 + nameSize + number(entry + 30, 2) + number(entry + 32, 2)
    }
  }

  func floats(_ name: String) throws -> [Float] { try elements(name, type: "<f4") }

  func integers(_ name: String) throws -> [Int] { try elements(name, type: "<i8") }

  private func elements<Element>(_ name: String, type: String) throws -> [Element] {
    guard let data = members[name] else { throw Unreadable(reason: "no \(name)") }
    let bodyStart = 10 + Int(data[8]) + Int(data[9]) << 8
    guard String(decoding: data[10..<bodyStart], as: UTF8.self).contains("'\(type)'") else {
      throw Unreadable(reason: "\(name) is not \(type)")
    }
    let body = data[bodyStart...]
    let size = MemoryLayout<Element>.size
    return body.withUnsafeBytes { bytes in
      (0..<body.count / size).map { bytes.loadUnaligned(fromByteOffset: size * $0, as: Element.self) }
    }
  }

  private static func inflate(_ packed: Data, size: Int) throws -> Data {
    var stream = z_stream()
    // Negative: deflated data without zlib's own header.
    let window: Int32 = -15
    guard
      inflateInit2_(&stream, window, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { throw Unreadable(reason: "zlib") }
    defer { inflateEnd(&stream) }
    var input = [UInt8](packed)
    var output = [UInt8](repeating: 0, count: size)
    let status = input.withUnsafeMutableBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        stream.next_in = input.baseAddress
        stream.avail_in = UInt32(input.count)
        stream.next_out = output.baseAddress
        stream.avail_out = UInt32(output.count)
        return CZlib.inflate(&stream, Z_FINISH)
      }
    }
    guard status == Z_STREAM_END else { throw Unreadable(reason: "damaged member") }
    return Data(output)
  }
}

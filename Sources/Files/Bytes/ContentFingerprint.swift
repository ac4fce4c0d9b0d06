import Foundation

/// Sixteen hexadecimal digits that depend on what a file or folder holds, wherever it lies and
/// whenever it was written; not meant against forgery.
///
/// Of a folder count the names inside it and the contents of its files; hidden files and `*.md`,
/// which nothing is learned from, do not. The first 256 MB are read whole. Of what comes after
/// them, names, sizes and samples count: 4 kB in four places and one more for every 16 MB.
public struct ContentFingerprint {
  private static let wholeByteCount = 256 << 20
  private static let sampleByteCount = 4 << 10
  private static let sampleSpacing = 16 << 20
  /// Folders within folders; links may lead round in circles.
  private static let maximumDepth = 16

  private var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  private var remaining = ContentFingerprint.wholeByteCount
  private var buffer = [UInt8](repeating: 0, count: 1 << 20)

  /// The fingerprint of what lies at a path; nil if nothing does.
  ///
  /// - Throws: `FileError` if it cannot be read.
  public static func of(_ path: String) throws(FileError) -> String? {
    guard access(path, F_OK) == 0 else { return nil }
    var fingerprint = ContentFingerprint()
    try fingerprint.add(path, name: "", depth: 0)
    let digits = String(fingerprint.hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private mutating func add(_ path: String, name: String, depth: Int) throws(FileError) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw .system(path: path, action: "read") }
    switch status.st_mode & S_IFMT {
    case S_IFDIR:
      guard depth < Self.maximumDepth else { return }
      for entry in try Self.names(in: path)
      where !entry.hasPrefix(".") && !entry.hasSuffix(".md") {
        try add("\(path)/\(entry)", name: "\(name)/\(entry)", depth: depth + 1)
      }
    case S_IFREG: try addFile(path, name: name, byteCount: Int(status.st_size))
    default: break
    }
  }

  private static func names(in path: String) throws(FileError) -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    } catch {
      throw .system(path: path, action: "read")
    }
  }

  private mutating func addFile(
    _ path: String, name: String, byteCount: Int
  ) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(path: path, action: "read") }
    defer { close(descriptor) }
    var check: UInt32 = 0
    if byteCount <= remaining {
      remaining -= byteCount
      try add(0..<byteCount, of: descriptor, path, to: &check)
    } else {
      for range in Self.samples(of: byteCount) { try add(range, of: descriptor, path, to: &check) }
    }
    for byte in "\(name)\0\(byteCount)\0\(check)\0".utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
    }
  }

  /// Evenly spread over the file, both ends among them.
  static func samples(of byteCount: Int) -> [Range<Int>] {
    let count = 4 + byteCount / sampleSpacing
    guard byteCount > count * sampleByteCount else { return [0..<byteCount] }
    let last = byteCount - sampleByteCount
    return (0..<count).map { index in
      let start = last / (count - 1) * index + last % (count - 1) * index / (count - 1)
      return start..<start + sampleByteCount
    }
  }

  private mutating func add(
    _ range: Range<Int>, of descriptor: Int32, _ path: String, to check: inout UInt32
  ) throws(FileError) {
    var position = range.lowerBound
    while position < range.upperBound {
      let count = buffer.withUnsafeMutableBytes { bytes in
        pread(
          descriptor, bytes.baseAddress, min(bytes.count, range.upperBound - position), position)
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .system(path: path, action: "read") }
      // Somebody is shortening the file; its reader will say so.
      if count == 0 { return }
      check = buffer.withUnsafeBytes { bytes in
        Checksum.crc32(UnsafeRawBufferPointer(rebasing: bytes[..<count]), from: check)
      }
      position += count
    }
  }
}

import Glibc

/// A whole file of bytes.
public enum BinaryFile {
  /// Reads a regular file; one that another process shortens meanwhile gives what is left.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - maxByteCount: how large it may be.
  /// - Throws: `FileError` if it cannot be read, is not a regular file or is larger.
  public static func read(path: String, maxByteCount: Int = .max) throws(FileError) -> [UInt8] {
    // A pipe without a writer would block, hence O_NONBLOCK; it has no effect on regular files.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .system(path: path, action: "opened") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .system(path: path, action: "examined") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw FileError(.system, path: path, problem: "is not a regular file")
    }
    let count = Int(status.st_size)
    guard count <= maxByteCount else {
      throw FileError(
        .tooLarge, path: path, problem: "has \(count) bytes, expected at most \(maxByteCount)")
    }
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let added = bytes.withUnsafeMutableBytes { buffer in
        Glibc.read(descriptor, buffer.baseAddress.map { $0 + filled }, count - filled)
      }
      if added < 0, errno == EINTR { continue }
      guard added >= 0 else { throw .system(path: path, action: "read") }
      guard added > 0 else { break }
      filled += added
    }
    bytes.removeLast(count - filled)
    try LFSPointer.refuse(bytes, path: path)
    return bytes
  }
}

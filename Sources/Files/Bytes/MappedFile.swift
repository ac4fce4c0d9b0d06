import Glibc

/// A file mapped into memory for reading; pages are loaded when they are looked at.
///
/// A file must not be shortened in place while it is mapped. Attune's own writers replace files.
final class MappedFile: BytesOwner {
  // The mapping is private, read-only, and lives until deinit.
  nonisolated(unsafe) private let start: UnsafeMutableRawPointer?
  private let count: Int

  private init(start: UnsafeMutableRawPointer?, count: Int) {
    self.start = start
    self.count = count
  }

  deinit { if let start { munmap(start, count) } }

  /// The contents of a regular file, unless it stands for another one.
  static func bytes(path: String) throws(FileError) -> Bytes {
    // A pipe without a writer would block, hence O_NONBLOCK; it has no effect on regular files.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .system(path: path, action: "opened") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .system(path: path, action: "examined") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      throw FileError(
        .system, path: path, problem: isFolder ? "is a folder" : "is not a regular file",
        advice: "name a file")
    }
    let count = Int(status.st_size)
    guard count > 0 else { return Bytes(copying: []) }
    let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let start, start != MAP_FAILED else {
      throw .system(path: path, action: "mapped into memory")
    }
    let file = MappedFile(start: start, count: count)
    try LFSPointer.refuse(UnsafeRawBufferPointer(start: start, count: count), path: path)
    return Bytes(owner: file, start: UnsafeRawPointer(start), count: count)
  }
}

extension FileError {
  /// The failure of a system call, from `errno`.
  ///
  /// - Parameters:
  ///   - path: the file that the call was about.
  ///   - action: what was tried, as in "written".
  public static func system(path: String, action: String) -> FileError {
    let code = errno
    let message = String(cString: strerror(code))
    var error = FileError(
      .system, path: path, problem: "cannot be \(action): \(message)", advice: advice(for: code))
    error.systemMessage = message
    return error
  }

  private static func advice(for code: Int32) -> String? {
    switch code {
    case ENOENT: "check the path"
    case ENOSPC, EDQUOT: "free some space there, or write elsewhere"
    case EFBIG: "raise the limit of file sizes (ulimit -f), or write elsewhere"
    case ENOTDIR, EISDIR, ENAMETOOLONG: "choose another path"
    case EROFS, EACCES, EPERM: "check the permissions, or choose another path"
    default: nil
    }
  }
}

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

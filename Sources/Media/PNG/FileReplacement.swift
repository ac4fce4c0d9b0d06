import Glibc

/// A temporary file beside `path` that takes its place when it is complete.
struct FileReplacement {
  /// The file to replace; where the path asked for is a link, what it points to.
  let path: String
  /// Where the new version is written; in the same folder, so that renaming is one step.
  let temporaryPath: String

  /// - Throws: `SystemError` where `path` is a folder or a device, which must not be replaced.
  init(path: String) throws(SystemError) {
    let path = try FileReplacement.resolved(path)
    self.path = path
    let folderEnd = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
    let suffix = String(UInt64.random(in: 0...UInt64.max), radix: 36)
    temporaryPath = "\(path[..<folderEnd]).\(path[folderEnd...]).\(suffix).temporary"
  }

  private static func resolved(_ path: String) throws(SystemError) -> String {
    var information = stat()
    guard stat(path, &information) == 0 else { return path }
    switch information.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw SystemError(number: EISDIR)
    default: throw SystemError("it is not a regular file")
    }
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }

  /// Writes the whole temporary file.
  func write(_ bytes: [UInt8]) throws(SystemError) {
    let descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw SystemError(number: errno) }
    defer { close(descriptor) }
    var start = 0
    while start < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        Glibc.write(descriptor, buffer.baseAddress! + start, buffer.count - start)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw SystemError(number: errno) }
      start += count
    }
  }

  /// Puts the temporary file on the disk and then in the place of `path`.
  func commit() throws(SystemError) {
    let descriptor = open(temporaryPath, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError(number: errno) }
    let isSynced = fsync(descriptor) == 0
    let number = errno
    close(descriptor)
    guard isSynced else { throw SystemError(number: number) }
    guard rename(temporaryPath, path) == 0 else { throw SystemError(number: errno) }
  }

  /// Removes the temporary file, if there is one.
  func discard() { unlink(temporaryPath) }
}

/// What the operating system says against a file.
struct SystemError: Error, CustomStringConvertible {
  let description: String

  init(number: Int32) { description = SystemError.text(number) }

  init(_ description: String) { self.description = description }

  static func text(_ number: Int32) -> String { String(cString: strerror(number)) }
}

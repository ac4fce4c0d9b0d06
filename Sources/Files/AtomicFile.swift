import Glibc

/// A file that appears under its name only when it is complete.
///
/// It is written under a temporary name in the same folder, synced and renamed; the folder is
/// synced too. A reader sees the old file or the new one, never half of one, whatever happens
/// meanwhile. A process that is killed may leave a `.attune-PID-N.partial` file behind.
///
/// A link is followed, also to a file that is not there yet; a folder, a device or a pipe is an
/// error.
public struct AtomicFile: ~Copyable {
  private let replacement: FileReplacement

  /// Writes a file through `body`; nothing changes on disk if it throws.
  ///
  /// - Throws: `FileError` if the system refuses, and what `body` throws.
  public static func write(
    to path: String, _ body: (borrowing AtomicFile) throws(FileError) -> Void
  ) throws(FileError) {
    let file = try AtomicFile(path: path)
    do {
      try body(file)
      try file.replacement.commit()
    } catch {
      file.replacement.discard()
      throw error
    }
  }

  /// Writes a whole file at once.
  ///
  /// - Throws: `FileError` if the system refuses.
  public static func write(_ bytes: [UInt8], to path: String) throws(FileError) {
    try write(to: path) { file throws(FileError) in try file.append(bytes) }
  }

  /// Writes a text in UTF-8.
  ///
  /// - Throws: `FileError` if the system refuses.
  public static func write(_ text: String, to path: String) throws(FileError) {
    try write(Array(text.utf8), to: path)
  }

  /// Finds out, before work that takes long, whether its result could be written now.
  ///
  /// - Throws: what writing would throw.
  public static func checkWritable(_ path: String) throws(FileError) {
    try FileReplacement(path: path).discard()
  }

  private init(path: String) throws(FileError) {
    replacement = try FileReplacement(path: path)
  }

  /// Adds bytes at the end.
  ///
  /// - Throws: `FileError` if the system refuses, for instance because the disk is full.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var rest = bytes
    while !rest.isEmpty {
      let count = Glibc.write(replacement.descriptor, rest.baseAddress, rest.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .system(path: replacement.path, action: "written") }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  /// Adds bytes at the end.
  ///
  /// - Throws: `FileError` if the system refuses, for instance because the disk is full.
  public func append(_ bytes: [UInt8]) throws(FileError) {
    try Bytes(copying: bytes).withUnsafeBytes { raw throws(FileError) in try append(raw) }
  }
}

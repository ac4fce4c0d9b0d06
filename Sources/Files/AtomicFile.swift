import Glibc
import Synchronization

/// A file that appears under its name only when it is complete.
///
/// It is written under a temporary name in the same folder, synced and renamed; the folder is synced
/// too. A reader sees the old file or the new one, never half of one, whatever happens meanwhile. A
/// process that is killed may leave a `.attune-PID-N.partial` file behind.
public struct AtomicFile: ~Copyable {
  private let path: String
  private let temporaryPath: String
  private let descriptor: Int32
  private static let counter = Atomic<Int>(0)

  /// Writes a file through `body`; nothing changes on disk if it throws.
  ///
  /// - Throws: `FileError` if the system refuses, and what `body` throws.
  public static func write(
    to path: String, _ body: (borrowing AtomicFile) throws(FileError) -> Void
  ) throws(FileError) {
    let file = try AtomicFile(path: path)
    do {
      try body(file)
      try file.commit()
    } catch {
      unlink(file.temporaryPath)
      throw error
    }
    try syncFolder(of: path)
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

  private init(path: String) throws(FileError) {
    self.path = path
    let number = AtomicFile.counter.wrappingAdd(1, ordering: .relaxed).oldValue
    temporaryPath = "\(path.folder)/.attune-\(getpid())-\(number).partial"
    // 0666 less the user's mask, as any program would create it.
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .system(path: path, action: "written") }
  }

  /// Adds bytes at the end.
  ///
  /// - Throws: `FileError` if the system refuses, for instance because the disk is full.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var rest = bytes
    while !rest.isEmpty {
      let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .system(path: path, action: "written") }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  /// Adds bytes at the end.
  ///
  /// - Throws: `FileError` if the system refuses, for instance because the disk is full.
  public func append(_ bytes: [UInt8]) throws(FileError) {
    try Bytes(copying: bytes).withUnsafeBytes { raw throws(FileError) in try append(raw) }
  }

  private func commit() throws(FileError) {
    guard fsync(descriptor) == 0 else { throw .system(path: path, action: "written to disk") }
    guard rename(temporaryPath, path) == 0 else { throw .system(path: path, action: "replaced") }
  }

  /// Makes the new name itself survive a power failure.
  private static func syncFolder(of path: String) throws(FileError) {
    let folder = open(path.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return }
    defer { close(folder) }
    // Some file systems cannot sync a folder and say EINVAL; the file itself is safe.
    guard fsync(folder) == 0 || errno == EINVAL else {
      throw .system(path: path, action: "written to disk")
    }
  }

  deinit { close(descriptor) }
}

import Glibc
import Synchronization

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

/// A new version of a file, written under a temporary name, that takes its place when it is
/// complete; one that is dropped before leaves nothing.
///
/// Where the path is a link, what it points to is replaced. A process that is killed may leave a
/// `.attune-PID-N.partial` file behind, which a run clears away by this name.
package final class FileReplacement {
  /// The path as it was given.
  package let path: String
  /// Where to write; in the folder of the file to replace, so that renaming is one step.
  package let temporaryPath: String
  /// The temporary file, open for writing, also where somebody else writes it by its name.
  let descriptor: Int32
  private let target: String
  private var isPending = true
  private static let counter = Atomic<Int>(0)

  /// Makes an empty temporary file.
  ///
  /// - Throws: `FileError` if the system refuses, or if a folder or device is in the way.
  package init(path: String) throws(FileError) {
    let target = try ReplacementTarget(of: path).path
    let temporary = try FileReplacement.createTemporary(in: target.folder, path: path)
    self.path = path
    self.target = target
    temporaryPath = temporary.path
    descriptor = temporary.descriptor
  }

  deinit {
    discard()
    close(descriptor)
  }

  private static func createTemporary(
    in folder: String, path: String
  ) throws(FileError) -> (path: String, descriptor: Int32) {
    while true {
      let number = counter.wrappingAdd(1, ordering: .relaxed).oldValue
      let temporaryPath = "\(folder)/.attune-\(getpid())-\(number).partial"
      // 0666 less the user's mask, as any program would create it.
      let descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      if descriptor >= 0 { return (temporaryPath, descriptor) }
      // A killed process of the same number may have left one; in containers all have the same.
      guard errno == EEXIST || errno == EINTR else { throw .system(path: path, action: "written") }
    }
  }

  /// Puts the temporary file on the disk and then in the place of the old one.
  ///
  /// - Throws: `FileError` if the system refuses; the old file is still there, unless only the new
  ///   name could not be synced.
  package func commit() throws(FileError) {
    precondition(isPending, "\(path) is in place, or given up")
    guard fsync(descriptor) == 0 else { throw .system(path: path, action: "written to disk") }
    guard rename(temporaryPath, target) == 0 else {
      throw .system(path: path, action: "replaced")
    }
    isPending = false
    try syncFolder()
  }

  /// Makes the new name itself survive a power failure.
  private func syncFolder() throws(FileError) {
    let folder = open(target.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return }
    defer { close(folder) }
    // Some file systems cannot sync a folder and say EINVAL; the file itself is safe.
    guard fsync(folder) == 0 || errno == EINVAL else {
      throw .system(path: path, action: "written to disk")
    }
  }

  /// Removes the temporary file, unless it has taken its place.
  package func discard() {
    guard isPending else { return }
    isPending = false
    unlink(temporaryPath)
  }
}

/// The file that writing to a path replaces or makes: what a link points to, else the path itself.
struct ReplacementTarget {
  /// A path that does not end in a link; there may be no such file yet.
  let path: String

  /// - Throws: `FileError` if a folder, a device or a pipe is in the way.
  init(of path: String) throws(FileError) {
    try ReplacementTarget.checkKind(of: path)
    self.path = try ReplacementTarget.end(ofLinksFrom: path)
  }

  private static func checkKind(of path: String) throws(FileError) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      // Nothing is there, or a link to nothing: a file can be made, or making it says why not.
      if errno == ENOENT { return }
      throw .system(path: path, action: "written")
    }
    let kind = status.st_mode & S_IFMT
    guard kind != S_IFREG else { return }
    // Renaming onto a device would put a file in its place; whoever else uses it would miss it.
    let problem = kind == S_IFDIR ? "is a folder" : "is a device, a pipe or a socket"
    throw FileError(.system, path: path, problem: problem, advice: "name a file")
  }

  /// Goes link by link, because the system finds the end only of links to something.
  private static func end(ofLinksFrom path: String) throws(FileError) -> String {
    var end = path
    // The system itself follows at most 40, so that more are links that somebody changes.
    for _ in 0...40 {
      guard let next = try destination(ofLink: end, path: path) else { return end }
      end = next.hasPrefix("/") ? next : "\(end.folder)/\(next)"
    }
    errno = ELOOP
    throw .system(path: path, action: "written")
  }

  /// What a link says; nil where there is no link.
  private static func destination(
    ofLink link: String, path: String
  ) throws(FileError) -> String? {
    var buffer = [CChar](repeating: 0, count: 4_096)  // no path is longer
    let count = readlink(link, &buffer, buffer.count)
    guard count >= 0 else { return nil }
    guard !isOpenFile(link) else {
      throw FileError(
        .system, path: path, problem: "stands for an open file of a process",
        advice: "name the file itself")
    }
    let bytes = buffer[..<count].map(UInt8.init(bitPattern:))
    guard let destination = String(validating: bytes, as: UTF8.self) else {
      throw FileError(
        .system, path: path, problem: "is a link to a name that is not UTF-8",
        advice: "choose another path")
    }
    return destination
  }

  /// Whether a link is one of `/proc`, to which `/dev/stdout` leads.
  ///
  /// What such a link says need not be a path; and where it is, the process that has the file open
  /// would go on writing to the old one.
  private static func isOpenFile(_ link: String) -> Bool {
    guard let folder = realpath(link.folder, nil) else { return false }
    defer { free(folder) }
    return String(cString: folder).hasPrefix("/proc/")
  }
}

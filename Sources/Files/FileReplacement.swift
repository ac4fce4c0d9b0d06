import Glibc
import Synchronization

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

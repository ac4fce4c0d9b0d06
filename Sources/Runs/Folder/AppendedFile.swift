import Files
import Glibc

/// A file that grows by whole records; each is handed to the system at once.
final class AppendedFile {
  let path: String
  private let descriptor: Int32

  /// Opens a file at its end, or creates it.
  init(path: String) throws(FileError) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .system(path: path, action: "written") }
  }

  deinit { close(descriptor) }

  /// Adds a record; what a full disk cut short is taken back.
  func append(_ record: [UInt8]) throws(FileError) {
    let end = lseek(descriptor, 0, SEEK_END)
    var written = 0
    while written < record.count {
      let count = record.withUnsafeBytes { bytes in
        write(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let error = FileError.system(path: path, action: "written")
        _ = ftruncate(descriptor, end)
        throw error
      }
      written += count
    }
  }

  /// Cuts the file to its first bytes.
  func truncate(toByteCount count: Int) throws(FileError) {
    guard ftruncate(descriptor, count) == 0 else {
      throw .system(path: path, action: "shortened")
    }
  }

  /// Waits until the disk has everything.
  func synchronize() throws(FileError) {
    // A pipe or a device cannot be synced and says EINVAL.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw .system(path: path, action: "written to disk")
    }
  }
}

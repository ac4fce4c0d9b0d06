import Files
import Glibc

/// Reading a file into memory, and replacing one by a new version in a single step.
enum WholeFile {
  static func read(_ path: String) throws(ImageFileError) -> [UInt8] {
    guard let file = fopen(path, "rb") else {
      throw .unreadable(file: path, reason: systemMessage)
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      errno = 0
      let count = fread(&chunk, 1, chunk.count, file)
      bytes.append(contentsOf: chunk[..<count])
      if count == chunk.count { continue }
      // Opening a folder succeeds; only reading it fails.
      if ferror(file) != 0 { throw .unreadable(file: path, reason: systemMessage) }
      return bytes
    }
  }

  private static var systemMessage: String { String(cString: strerror(errno)) }

  static func write(_ bytes: [UInt8], to path: String) throws(ImageFileError) {
    do throws(FileError) {
      try AtomicFile.write(bytes, to: path)
    } catch {
      throw .unwritable(file: path, reason: error.reason)
    }
  }
}

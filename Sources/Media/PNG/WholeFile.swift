import Glibc

/// Reading a file into memory, and replacing one by a new version in a single step.
enum WholeFile {
  static func read(_ path: String) throws(ImageFileError) -> [UInt8] {
    guard let file = fopen(path, "rb") else {
      throw .unreadable(file: path, reason: SystemError.text(errno))
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
      if ferror(file) != 0 { throw .unreadable(file: path, reason: SystemError.text(errno)) }
      return bytes
    }
  }

  static func write(_ bytes: [UInt8], to path: String) throws(ImageFileError) {
    do throws(SystemError) {
      let replacement = try FileReplacement(path: path)
      do throws(SystemError) {
        try replacement.write(bytes)
        try replacement.commit()
      } catch {
        replacement.discard()
        throw error
      }
    } catch {
      throw .unwritable(file: path, reason: error.description)
    }
  }
}

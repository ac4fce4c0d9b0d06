import Files

/// Reading a file into memory, and replacing one by a new version in a single step.
enum WholeFile {
  static func read(_ path: String) throws(ImageFileError) -> [UInt8] {
    do throws(FileError) {
      return try BinaryFile.read(path: path)
    } catch {
      throw .unreadable(file: path, reason: error.reason)
    }
  }

  static func write(_ bytes: [UInt8], to path: String) throws(ImageFileError) {
    do throws(FileError) {
      try AtomicFile.write(bytes, to: path)
    } catch {
      throw .unwritable(file: path, reason: error.reason)
    }
  }
}

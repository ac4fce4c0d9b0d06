/// The few lines of text that Git keeps in place of a large file until Git LFS has fetched it.
enum LFSPointer {
  private static let start = Array("version https://git-lfs.github.com/spec/v1".utf8)
  /// The format allows a pointer no more.
  private static let maxByteCount = 1_024

  /// Refuses a file that is a pointer; every reader of files asks here.
  ///
  /// - Throws: `FileError` that tells what to do.
  static func refuse(_ bytes: some Collection<UInt8>, path: String) throws(FileError) {
    guard bytes.count < maxByteCount, bytes.starts(with: start) else { return }
    let lines = TextFile.lines(of: String(decoding: bytes, as: UTF8.self))
    let size = lines.lazy.compactMap { line -> Int? in
      line.hasPrefix("size ") ? Int(line.dropFirst(5)) : nil
    }.first
    throw FileError(
      .missing, path: path,
      problem:
        "is a Git LFS pointer to a file\(size.map { " of \($0) bytes" } ?? ""), not the file",
      advice: "fetch it with git lfs pull, or download the file itself")
  }
}

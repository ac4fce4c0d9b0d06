import CHDF5Bridge

extension HDF5File {
  /// Reads a dataset of texts, of fixed or variable length, in row-major order. What fills a text
  /// up to a fixed length is left out; damaged UTF-8 has replacement characters.
  ///
  /// - Throws: `FileError` if there is no such dataset, it has no texts or cannot be read.
  public func texts(of name: String) throws(FileError) -> [String] {
    guard let dataset = dataset(named: name) else { throw absent(name) }
    guard dataset.isText, dataset.problem == nil else {
      throw FileError(
        .unsupported, path: path, item: name,
        problem: dataset.problem ?? "is \(dataset.typeName), where texts are expected",
        advice: dataset.problem == nil ? "name a dataset of strings" : HDF5File.storageAdvice)
    }
    let fileByteCount = try MappedFile.bytes(path: path).count
    let capacity = HDF5File.recordCapacity(fileByteCount: fileByteCount)
    let memory = try HDF5File.share(capacity, path: path, item: name)
    let limits = limits ?? .listing(fileByteCount: fileByteCount)
    let result = attune_hdf5_read_texts(path, dataset.name, limits.bridged, memory.bridged)
    try HDF5File.check(result, path: path, item: name)
    let records = memory.bytes(count: min(Int(clamping: result.byte_count), memory.count))
    var cursor = ByteCursor(records, path: path, part: name)
    var texts: [String] = []
    while cursor.remainingCount > 0 { texts.append(try cursor.listedText()) }
    guard texts.count == Checked.elementCount(dataset.shape) else {
      throw FileError(
        .malformed, path: path, item: name, problem: "changed while it was read",
        advice: "read it again")
    }
    return texts
  }
}

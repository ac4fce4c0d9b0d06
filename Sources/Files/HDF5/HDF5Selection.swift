import CHDF5Bridge

/// Rows of a dataset that were found to be readable.
struct HDF5Selection {
  let dataset: HDF5Dataset
  let elementType: ElementType
  let code: AttuneHDF5ElementType
  /// All rows, or some; nil for a scalar.
  let rows: Range<Int>?
  /// Of what is read.
  let shape: [Int]
  let byteCount: Int
}

extension HDF5File {
  /// Checks a request against the listing.
  func selection(of name: String, rows: Range<Int>?) throws(FileError) -> HDF5Selection {
    guard let dataset = dataset(named: name) else { throw absent(name) }
    guard dataset.problem == nil, let elementType = dataset.elementType,
      let code = elementType.hdf5Code
    else {
      throw FileError(
        .unsupported, path: path, item: name,
        problem: dataset.problem ?? "is \(dataset.typeName), where numbers are expected",
        advice: HDF5File.storageAdvice)
    }
    let rows = try check(rows, of: dataset)
    let shape = rows.map { [$0.count] + dataset.shape.dropFirst() } ?? dataset.shape
    // The whole dataset's size was checked by the listing.
    let byteCount = Checked.byteCount(shape: shape, of: elementType) ?? 0
    guard byteCount <= dataset.maxByteCount else {
      throw FileError(
        .malformed, path: path, item: name,
        problem: "claims \(byteCount) bytes, which the \(dataset.storedByteCount) bytes that it "
          + "has in the file cannot stand for",
        advice: "the file is damaged, or the dataset was never filled")
    }
    return HDF5Selection(
      dataset: dataset, elementType: elementType, code: code, rows: rows, shape: shape,
      byteCount: byteCount)
  }

  /// The rows to read: all of them by default, none of a scalar.
  private func check(
    _ rows: Range<Int>?, of dataset: HDF5Dataset
  ) throws(FileError) -> Range<Int>? {
    guard let rowCount = dataset.shape.first else {
      guard rows == nil else {
        throw FileError(
          .missing, path: path, item: dataset.name, problem: "is a scalar, without rows")
      }
      return nil
    }
    let rows = rows ?? 0..<rowCount
    guard rows.lowerBound >= 0, rows.upperBound <= rowCount else {
      throw FileError(
        .missing, path: path, item: dataset.name,
        problem: "has \(rowCount) rows, but rows \(rows) are requested")
    }
    return rows
  }
}

import Files

/// A text file of rows whose values are parted by tabs; nothing is quoted.
struct TabSeparatedFile {
  struct Row {
    /// The line in the file, from 1.
    let line: Int
    let values: [String]
  }

  let path: String
  /// Every line that is not empty, the header included.
  let rows: [Row]

  init(path: String) throws {
    self.path = path
    rows = try TextFile.lines(path: path).enumerated().compactMap { index, line in
      line.isEmpty
        ? nil
        : Row(
          line: index + 1,
          values: line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init))
    }
  }

  /// The rows below the header, with their values in the order of `columns`.
  ///
  /// - Throws: `CaptionedDataError` if a column is missing or a row has another number of values.
  func values(ofColumns columns: [String]) throws(CaptionedDataError) -> [Row] {
    let header = rows.first?.values ?? []
    var places: [Int] = []
    for column in columns {
      guard let place = header.firstIndex(of: column) else {
        throw CaptionedDataError(
          file: path, row: rows.first?.line,
          problem: "the header has no column '\(column)', only "
            + (header.isEmpty ? "nothing" : header.joined(separator: ", ")),
          advice: "expected the columns \(columns.joined(separator: ", ")), parted by tabs")
      }
      places.append(place)
    }
    var result: [Row] = []
    for row in rows.dropFirst() {
      guard row.values.count == header.count else {
        throw CaptionedDataError(
          file: path, row: row.line,
          problem: "has \(row.values.count) values, expected \(header.count) parted by tabs")
      }
      result.append(Row(line: row.line, values: places.map { row.values[$0] }))
    }
    return result
  }
}

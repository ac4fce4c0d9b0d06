import Files

/// A text file of rows whose values are parted by commas (RFC 4180): a value in quotes may have
/// commas, line ends and, doubled, quotes in it.
struct CommaSeparatedFile {
  struct Row {
    /// The line in the file that the row begins in, from 1.
    let line: Int
    let values: [String]
  }

  let path: String
  /// Every row that is not empty, the header included.
  let rows: [Row]

  /// - Throws: `FileError` if the file cannot be read; `CaptionedDataError` if a quote is not closed.
  init(path: String) throws {
    self.path = path
    rows = try Self.rows(try TextFile.read(path: path), path: path)
  }

  private static func rows(_ text: String, path: String) throws(CaptionedDataError) -> [Row] {
    var rows: [Row] = []
    var values: [String] = []
    var value = ""
    var (line, firstLine) = (1, 1)
    var (isQuoted, wasQuoted) = (false, false)
    func endRow() {
      let isEmpty = values.isEmpty && value.isEmpty && !wasQuoted
      if !isEmpty { rows.append(Row(line: firstLine, values: values + [value])) }
      (values, value, wasQuoted) = ([], "", false)
    }
    var characters = text.makeIterator()
    var next = characters.next()
    while let character = next {
      next = characters.next()
      if isQuoted {
        if character == "\"" && next == "\"" {
          value.append("\"")
          next = characters.next()
        } else if character == "\"" {
          isQuoted = false
        } else {
          value.append(character)
          if character.isNewline { line += 1 }
        }
      } else if character == "\"" && value.isEmpty {
        (isQuoted, wasQuoted) = (true, true)
      } else if character == "," {
        values.append(value)
        (value, wasQuoted) = ("", false)
      } else if character.isNewline {
        endRow()
        line += 1
        firstLine = line
      } else {
        value.append(character)
      }
    }
    guard !isQuoted else {
      throw CaptionedDataError(
        file: path, row: firstLine, problem: "has a quote that is not closed",
        advice: "a quote within a value is written twice, and the value in quotes")
    }
    endRow()
    return rows
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
          advice: "expected the columns \(columns.joined(separator: ", ")), parted by commas")
      }
      places.append(place)
    }
    var result: [Row] = []
    for row in rows.dropFirst() {
      guard row.values.count == header.count else {
        throw CaptionedDataError(
          file: path, row: row.line,
          problem: "has \(row.values.count) values, expected \(header.count) parted by commas",
          advice: "put a value with a comma in it in quotes")
      }
      result.append(Row(line: row.line, values: places.map { row.values[$0] }))
    }
    return result
  }
}

/// Reads the dictionary literal of an npy header and nothing else of Python.
struct PythonDictionary {
  private(set) var description: String?
  private(set) var isFortranOrder: Bool?
  private(set) var shape: [Int]?

  private let text: [UInt8]
  private let path: String
  private let part: String
  private var position = 0

  init(_ bytes: Bytes, path: String, part: String) {
    text = bytes.withUnsafeBytes { Array($0) }
    self.path = path
    self.part = part
  }

  mutating func read() throws(FileError) {
    try expect("{")
    while !skip("}") {
      let key = try string()
      try expect(":")
      switch key {
      case "descr" where description == nil: description = try typeCode()
      case "fortran_order" where isFortranOrder == nil: isFortranOrder = try boolean()
      case "shape" where shape == nil: shape = try tuple()
      default: throw error("the header has an unexpected or repeated key")
      }
      if skip("}") { break }
      try expect(",")
    }
    skipSpace()
    guard position == text.count else { throw error("something follows the header's dictionary") }
  }

  private mutating func typeCode() throws(FileError) -> String {
    skipSpace()
    if position < text.count, text[position] == UInt8(ascii: "[") {
      throw FileError(
        .unsupported, path: path, item: part, problem: "is a structured array",
        advice: "save each field as an array of its own")
    }
    return try string()
  }

  private mutating func string() throws(FileError) -> String {
    skipSpace()
    guard position < text.count, [UInt8(ascii: "'"), UInt8(ascii: "\"")].contains(text[position])
    else { throw error("a string is expected") }
    let quote = text[position]
    let start = position + 1
    guard let end = text[start...].firstIndex(of: quote),
      !text[start..<end].contains(UInt8(ascii: "\\"))
    else { throw error("a string does not end") }
    position = end + 1
    return String(decoding: text[start..<end], as: UTF8.self)
  }

  private mutating func boolean() throws(FileError) -> Bool {
    if skip("True") { return true }
    if skip("False") { return false }
    throw error("True or False is expected")
  }

  private mutating func tuple() throws(FileError) -> [Int] {
    var sizes: [Int] = []
    try expect("(")
    while !skip(")") {
      sizes.append(try size())
      if skip(")") { break }
      try expect(",")
    }
    return sizes
  }

  private mutating func size() throws(FileError) -> Int {
    skipSpace()
    let digits = text[position...].prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    guard let size = Int(String(decoding: digits, as: UTF8.self)) else {
      throw error("a size that is a whole number, not negative, is expected")
    }
    position = digits.endIndex
    // Python 2 wrote long integers with a suffix.
    if position < text.count, text[position] == UInt8(ascii: "L") { position += 1 }
    return size
  }

  private mutating func skipSpace() {
    while position < text.count, [0x20, 0x0A, 0x09, 0x0D].contains(text[position]) {
      position += 1
    }
  }

  private mutating func skip(_ token: String) -> Bool {
    skipSpace()
    guard text[position...].starts(with: token.utf8) else { return false }
    position += token.utf8.count
    return true
  }

  private mutating func expect(_ token: String) throws(FileError) {
    guard skip(token) else { throw error("'\(token)' is expected") }
  }

  private func error(_ problem: String) -> FileError {
    FileError(
      .malformed, path: path, item: part, problem: "\(problem) (byte \(position) of the header)",
      advice: "the file is damaged")
  }
}

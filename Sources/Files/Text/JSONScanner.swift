/// Reads JSON piece by piece, so that no more is kept than the caller asks for.
///
/// Strict: no comments, no trailing commas, no repeated separators; text must be UTF-8.
struct JSONScanner {
  /// A copy, because single bytes of an array are quicker to look at.
  private let bytes: [UInt8]
  private let path: String
  private let part: String
  private var position = 0

  /// Deeper values are refused.
  static let maxDepth = 64

  init(_ bytes: Bytes, path: String, part: String) {
    self.bytes = bytes.withUnsafeBytes { Array($0) }
    self.path = path
    self.part = part
  }

  /// Reads an object; `body` must read or skip the value of each key.
  mutating func object(
    _ body: (inout JSONScanner, _ key: String) throws(FileError) -> Void
  ) throws(FileError) {
    try expect(UInt8(ascii: "{"), "an object")
    if skip(UInt8(ascii: "}")) { return }
    repeat {
      let key = try string()
      try expect(UInt8(ascii: ":"), "a colon")
      try body(&self, key)
    } while skip(UInt8(ascii: ","))
    try expect(UInt8(ascii: "}"), "a comma or the end of an object")
  }

  /// Reads an array; `body` must read or skip each element.
  mutating func array(
    _ body: (inout JSONScanner) throws(FileError) -> Void
  ) throws(FileError) {
    try expect(UInt8(ascii: "["), "an array")
    if skip(UInt8(ascii: "]")) { return }
    repeat { try body(&self) } while skip(UInt8(ascii: ","))
    try expect(UInt8(ascii: "]"), "a comma or the end of an array")
  }

  /// Reads a whole number that is not negative.
  mutating func count() throws(FileError) -> Int {
    skipSpace()
    let start = position
    var value = 0
    while let digit = peek, digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") {
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tens.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
      guard !overflow, !carry else { throw error("a number is too large", .tooLarge) }
      value = sum
      position += 1
    }
    let hasLeadingZero = position - start > 1 && bytes[start] == UInt8(ascii: "0")
    let isCut = peek.map { ".eE".utf8.contains($0) } ?? false
    guard position > start, !hasLeadingZero, !isCut else {
      position = start
      throw error("a whole number, not negative, is expected")
    }
    return value
  }

  /// Reads a string.
  mutating func string() throws(FileError) -> String {
    try expect(UInt8(ascii: "\""), "a string")
    var text: [UInt8] = []
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw error("a string is not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): try appendEscape(to: &text)
      case ..<0x20: throw error("a string has a control character")
      default: text.append(byte)
      }
    }
    throw error("a string does not end", .truncated)
  }

  /// Skips a value of any type.
  mutating func skipValue() throws(FileError) { try skipValue(depth: 0) }

  /// Throws unless nothing but space follows.
  mutating func end() throws(FileError) {
    skipSpace()
    guard position == bytes.count else { throw error("something follows the JSON object") }
  }

  /// An error at the current place.
  func error(_ problem: String, _ kind: FileError.Kind = .malformed) -> FileError {
    FileError(
      kind, path: path, item: part, problem: "\(problem) (byte \(position))",
      advice: "the file is damaged or not what its name states")
  }
}

extension JSONScanner {
  var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private mutating func skip(_ byte: UInt8) -> Bool {
    skipSpace()
    guard peek == byte else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ byte: UInt8, _ what: String) throws(FileError) {
    guard skip(byte) else { throw error("\(what) is expected") }
  }

  private mutating func skipValue(depth: Int) throws(FileError) {
    guard depth < JSONScanner.maxDepth else { throw error("values are nested too deep") }
    skipSpace()
    switch peek {
    case UInt8(ascii: "{"):
      try object { scanner, _ throws(FileError) in try scanner.skipValue(depth: depth + 1) }
    case UInt8(ascii: "["):
      try array { scanner throws(FileError) in try scanner.skipValue(depth: depth + 1) }
    case UInt8(ascii: "\""): _ = try string()
    default: try skipWord()
    }
  }

  /// Skips a number, `true`, `false` or `null`.
  private mutating func skipWord() throws(FileError) {
    let start = position
    let word = word()
    guard number(word) != nil || ["true", "false", "null"].contains(word) else {
      position = start
      throw error("a value is expected")
    }
  }

  /// Takes what can be a number, `true`, `false` or `null`; empty where it cannot.
  mutating func word() -> String {
    let start = position
    while let byte = peek, byte > 0x20, !",]}:\"[{".utf8.contains(byte) { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  /// The number that a word says; nil if it is none.
  func number(_ word: String) -> Double? {
    let isPlain = word.allSatisfy { "+-.0123456789eE".contains($0) }
    return isPlain && word.first != "+" && word.first != "." ? Double(word) : nil
  }

  private mutating func appendEscape(to text: inout [UInt8]) throws(FileError) {
    guard let escape = peek else { throw error("a string does not end", .truncated) }
    position += 1
    switch escape {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escape)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"): text.append(contentsOf: String(try escapedScalar()).utf8)
    default: throw error("a string has an unknown escape")
    }
  }

  private mutating func escapedScalar() throws(FileError) -> Character {
    let first = try hexadecimal()
    if let scalar = Unicode.Scalar(first) { return Character(scalar) }
    // Scalars beyond 16 bits come as a pair of surrogates.
    guard (0xD800..<0xDC00).contains(first), peek == UInt8(ascii: "\\") else {
      throw error("a string has half a surrogate pair")
    }
    position += 1
    guard peek == UInt8(ascii: "u") else { throw error("a string has half a surrogate pair") }
    position += 1
    let second = try hexadecimal()
    guard (0xDC00..<0xE000).contains(second),
      let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    else { throw error("a string has half a surrogate pair") }
    return Character(scalar)
  }

  private mutating func hexadecimal() throws(FileError) -> UInt32 {
    guard position + 4 <= bytes.count, let value = UInt32(hex: bytes[position..<(position + 4)])
    else { throw error("a string has a damaged escape") }
    position += 4
    return value
  }
}

extension UInt32 {
  /// The value of a few hexadecimal digits, without a sign.
  fileprivate init?(hex digits: ArraySlice<UInt8>) {
    let text = String(decoding: digits, as: UTF8.self)
    guard text.allSatisfy(\.isHexDigit), text.utf8.count == digits.count else { return nil }
    self.init(text, radix: 16)
  }
}

/// A JSON value, such as a model's configuration.
public enum JSONValue: Sendable, Equatable {
  /// `null`
  case null
  /// `true` or `false`
  case boolean(Bool)
  /// A number; Python's `NaN` and `Infinity` are read too.
  case number(Double)
  /// A text.
  case string(String)
  /// A list.
  case array([JSONValue])
  /// Values by key.
  case object([String: JSONValue])

  /// Reads a file with one value.
  ///
  /// - Throws: `FileError` if it cannot be opened or is not JSON.
  public init(path: String) throws(FileError) {
    try self.init(try MappedFile.bytes(path: path), path: path, part: "JSON")
  }

  /// Reads a text with one value, which is a part of a file.
  ///
  /// - Parameters:
  ///   - text: the JSON.
  ///   - path: the file, for errors.
  ///   - item: the part of it, for errors.
  /// - Throws: `FileError` if it is not JSON.
  public init(text: String, path: String, item: String) throws(FileError) {
    try self.init(Bytes(copying: Array(text.utf8)), path: path, part: item)
  }

  /// Reads bytes with one value, which are a part of a file.
  init(_ bytes: Bytes, path: String, part: String) throws(FileError) {
    var scanner = JSONScanner(TextFile.withoutMark(bytes), path: path, part: part)
    self = try scanner.value()
    try scanner.end()
  }

  /// Reads a file with one value a line (JSON Lines); empty lines are left out.
  ///
  /// - Throws: `FileError` that names the line, if the file cannot be opened or is not such a file.
  public static func lines(path: String) throws(FileError) -> [JSONValue] {
    var values: [JSONValue] = []
    for (index, line) in try TextFile.lines(path: path).enumerated() {
      guard line.contains(where: { !$0.isWhitespace }) else { continue }
      var scanner = JSONScanner(
        Bytes(copying: Array(line.utf8)), path: path, part: "line \(index + 1)")
      values.append(try scanner.value())
      try scanner.end()
    }
    return values
  }

  /// Writes the value to a file, in the form of `text`.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(to path: String) throws(FileError) {
    try AtomicFile.write(text + "\n", to: path)
  }

  /// The value as Python's `json.dumps(value, indent=2, sort_keys=True)` writes it.
  public var text: String { text(indent: "") }

  private func text(indent: String) -> String {
    let inner = indent + "  "
    switch self {
    case .null: return "null"
    case .boolean(let boolean): return boolean ? "true" : "false"
    case .number(let number): return JSONValue.text(of: number)
    case .string(let string): return JSONText.string(string)
    case .array(let values):
      if values.isEmpty { return "[]" }
      let lines = values.map { inner + $0.text(indent: inner) }
      return "[\n\(lines.joined(separator: ",\n"))\n\(indent)]"
    case .object(let members):
      if members.isEmpty { return "{}" }
      let lines = members.sorted { $0.key < $1.key }.map {
        "\(inner)\(JSONText.string($0.key)): \($0.value.text(indent: inner))"
      }
      return "{\n\(lines.joined(separator: ",\n"))\n\(indent)}"
    }
  }

  private static func text(of number: Double) -> String {
    if number.isNaN { return "NaN" }
    if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
    return Int(exactly: number).map(String.init) ?? "\(number)"
  }
}

extension JSONValue: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByNilLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  /// `true` or `false`
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
  /// A whole number.
  public init(integerLiteral value: Int) { self = .number(Double(value)) }
  /// A number.
  public init(floatLiteral value: Double) { self = .number(value) }
  /// A text.
  public init(stringLiteral value: String) { self = .string(value) }
  /// `null`
  public init(nilLiteral: ()) { self = .null }
  /// A list.
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// Values by key; the last of equal keys counts.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(elements) { $1 })
  }
}

extension JSONScanner {
  /// Reads a value of any type.
  mutating func value(depth: Int = 0) throws(FileError) -> JSONValue {
    guard depth < JSONScanner.maxDepth else { throw error("values are nested too deep") }
    skipSpace()
    switch peek {
    case UInt8(ascii: "{"):
      var members: [String: JSONValue] = [:]
      try object { scanner, key throws(FileError) in
        members[key] = try scanner.value(depth: depth + 1)
      }
      return .object(members)
    case UInt8(ascii: "["):
      var values: [JSONValue] = []
      try array { scanner throws(FileError) in
        values.append(try scanner.value(depth: depth + 1))
      }
      return .array(values)
    case UInt8(ascii: "\""): return .string(try string())
    default: return try wordValue()
    }
  }

  private mutating func wordValue() throws(FileError) -> JSONValue {
    let word = word()
    switch word {
    case "null": return .null
    case "true": return .boolean(true)
    case "false": return .boolean(false)
    case "NaN": return .number(.nan)
    case "Infinity": return .number(.infinity)
    case "-Infinity": return .number(-.infinity)
    default:
      guard let number = number(word) else { throw error("a value is expected") }
      return .number(number)
    }
  }
}

/// Writes the JSON that file headers need.
enum JSONText {
  /// A string with its quotation marks.
  static func string(_ text: String) -> String {
    var json = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": json += "\\\""
      case "\\": json += "\\\\"
      case "\n": json += "\\n"
      case "\r": json += "\\r"
      case "\t": json += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        json += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: json.unicodeScalars.append(scalar)
      }
    }
    return json + "\""
  }

  /// An array of whole numbers.
  static func array(_ numbers: [Int]) -> String {
    "[" + numbers.map(String.init).joined(separator: ",") + "]"
  }
}

import Files
import NeuralNetworks
import Tensors

/// Reads a `config.json` key by key, so that whatever it does not understand is refused by name.
package struct ConfigurationReader {
  package let path: String
  private let members: [String: JSONValue]
  private let nulls: Set<String>
  private var unread: Set<String>

  /// - Parameter path: the file that errors name.
  package init(_ value: JSONValue, path: String) throws {
    guard case .object(let members) = value else {
      throw FileError(
        .malformed, path: path, problem: "is not a JSON object", advice: "name a config.json")
    }
    self.path = path
    self.members = members.filter { $0.value != .null }
    nulls = Set(members.filter { $0.value == .null }.keys)
    // Keys with a leading underscore are notes of the library that wrote the file. A null asks for
    // nothing, whatever it belongs to: newer libraries write their new keys so.
    unread = Set(self.members.keys.filter { !$0.hasPrefix("_") })
  }

  /// The value of a key; nil if it is missing or null.
  package mutating func value(_ key: String) -> JSONValue? {
    unread.remove(key)
    return members[key]
  }

  /// Whether a key is there and null, where that means something else than its absence.
  package func hasNull(_ key: String) -> Bool { nulls.contains(key) }

  package func error(_ key: String, _ problem: String, advice: String? = nil) -> FileError {
    FileError(.unsupported, path: path, item: key, problem: problem, advice: advice)
  }

  private func mistaken(_ key: String, _ value: JSONValue, expected: String) -> FileError {
    FileError(
      .malformed, path: path, item: key,
      problem: "is \(value.text.split(separator: "\n").joined()), where \(expected) is expected")
  }

  package mutating func boolean(_ key: String) throws -> Bool? {
    guard let value = value(key) else { return nil }
    guard case .boolean(let boolean) = value else {
      throw mistaken(key, value, expected: "true or false")
    }
    return boolean
  }

  /// A claim for each of `count` blocks, or one for all; false if the key is missing.
  package mutating func booleans(_ key: String, count: Int) throws -> [Bool] {
    guard case .array(let values) = members[key] else {
      return [Bool](repeating: try boolean(key) ?? false, count: count)
    }
    unread.remove(key)
    return try values.map {
      guard case .boolean(let boolean) = $0, values.count == count else {
        throw mistaken(key, .array(values), expected: "true or false, or \(count) of them,")
      }
      return boolean
    }
  }

  package mutating func number(_ key: String) throws -> Double? {
    guard let value = value(key) else { return nil }
    guard case .number(let number) = value, number.isFinite else {
      throw mistaken(key, value, expected: "a number")
    }
    return number
  }

  package mutating func string(_ key: String) throws -> String? {
    guard let value = value(key) else { return nil }
    guard case .string(let string) = value else { throw mistaken(key, value, expected: "a text") }
    return string
  }

  /// The maximum size that a configuration may ask for: well above any model, low enough that
  /// products of sizes stay in range.
  package static let maxSize = 1 << 20

  package mutating func integer(
    _ key: String, in range: ClosedRange<Int> = 1...maxSize
  ) throws -> Int? {
    guard let value = value(key) else { return nil }
    return try integer(value, key, range)
  }

  private func integer(_ value: JSONValue, _ key: String, _ range: ClosedRange<Int>) throws -> Int {
    guard case .number(let number) = value, let integer = Int(exactly: number),
      range.contains(integer)
    else {
      throw mistaken(
        key, value, expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return integer
  }

  package mutating func integers(
    _ key: String, in range: ClosedRange<Int> = 1...maxSize
  ) throws -> [Int]? {
    guard let value = value(key) else { return nil }
    guard case .array(let values) = value, values.count <= 64 else {
      throw mistaken(key, value, expected: "a list of whole numbers")
    }
    return try values.map { try integer($0, key, range) }
  }

  /// A number for each of `count` blocks, or one for all.
  package mutating func integers(
    _ key: String, count: Int, in range: ClosedRange<Int> = 1...maxSize
  ) throws -> [Int]? {
    guard case .array(let values) = members[key] else {
      return try integer(key, in: range).map { [Int](repeating: $0, count: count) }
    }
    guard values.count == count else {
      throw mistaken(key, .array(values), expected: "one number or \(count), one for each block,")
    }
    return try integers(key, in: range)
  }

  package mutating func strings(_ key: String) throws -> [String]? {
    guard let value = value(key) else { return nil }
    guard case .array(let values) = value, values.count <= 64 else {
      throw mistaken(key, value, expected: "a list of texts")
    }
    return try values.map {
      guard case .string(let string) = $0 else {
        throw mistaken(key, value, expected: "a list of texts")
      }
      return string
    }
  }

  /// One of the values that an enumeration names.
  package mutating func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, _ type: Choice.Type = Choice.self
  ) throws -> Choice? where Choice.RawValue == String {
    try string(key).map { try choice($0, key) }
  }

  package mutating func choices<Choice: RawRepresentable & CaseIterable>(
    _ key: String, _ type: Choice.Type = Choice.self
  ) throws -> [Choice]? where Choice.RawValue == String {
    try strings(key)?.map { try choice($0, key) }
  }

  private func choice<Choice: RawRepresentable & CaseIterable>(
    _ text: String, _ key: String
  ) throws -> Choice where Choice.RawValue == String {
    guard let choice = Choice(rawValue: text) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw error(key, "is '\(text)', which Attune does not have", advice: "it has \(known)")
    }
    return choice
  }

  /// Throws unless a key is missing or has one of the values for which nothing needs to be done.
  package mutating func require(_ key: String, _ harmless: JSONValue...) throws {
    guard let value = value(key), !harmless.contains(value) else { return }
    let text = value.text.split(separator: "\n").joined()
    throw error(
      key, "is \(text), which Attune does not support",
      advice: "the model would give other results without it")
  }

  /// Passes over keys that do not change what a model computes.
  package mutating func ignore(_ keys: String...) { unread.subtract(keys) }

  /// Throws if there are keys that nobody asked for.
  package func finish() throws {
    guard let key = unread.min() else { return }
    throw error(
      key, "is a key that Attune does not know",
      advice: "it may change the results; remove it if it does not")
  }
}

/// Activations by the names that diffusers and transformers give them.
package enum ActivationName: String, CaseIterable {
  case silu, swish, mish, gelu, relu
  case geluQuick = "quick_gelu"
  case geluNew = "gelu_new"

  package var activation: Activation {
    switch self {
    case .silu, .swish: .silu
    case .mish: .mish
    case .gelu: .gelu
    case .relu: .relu
    case .geluQuick: .geluQuick
    case .geluNew: .geluTanh
    }
  }

  /// The name of an activation that has one.
  package init?(_ activation: Activation) {
    guard let name = ActivationName.allCases.first(where: { $0.activation == activation }) else {
      return nil
    }
    self = name
  }
}

/// A setting with the range that its value must lie in: `@Setting(1...1000) var episodes = 50`.
///
/// The range belongs to the declaration; `Settings.validate()` checks a value by it, and names key,
/// value and range where it does not fit. Codable as the value alone.
@propertyWrapper
public struct Setting<Value: Codable & Hashable & Sendable>: Codable, Hashable, Sendable {
  /// The value.
  public var wrappedValue: Value
  /// Nil where every value is good, and in a decoded setting.
  let range: SettingRange<Value>?
  /// What it means, where a program lists settings; their comments are for those who read code.
  let meaning: String?

  /// A setting in a range.
  public init(wrappedValue: Value, _ range: SettingRange<Value>, _ meaning: String? = nil) {
    self.wrappedValue = wrappedValue
    self.range = range
    self.meaning = meaning
  }

  /// A setting between two bounds, which are good too.
  public init(
    wrappedValue: Value, _ bounds: ClosedRange<Value>, _ meaning: String? = nil
  ) where Value: Comparable {
    self.init(wrappedValue: wrappedValue, SettingRange(bounds), meaning)
  }

  /// A setting between two bounds, or none.
  public init<Bound>(
    wrappedValue: Value, _ bounds: ClosedRange<Bound>, _ meaning: String? = nil
  ) where Value == Bound? {
    let range = SettingRange(bounds)
    self.init(
      wrappedValue: wrappedValue,
      SettingRange(range.description) { value in value.map(range.contains) ?? true }, meaning)
  }

  /// A setting of any value, with what it means.
  public init(wrappedValue: Value, _ meaning: String) {
    self.wrappedValue = wrappedValue
    range = nil
    self.meaning = meaning
  }

  /// Reads the value alone.
  public init(from decoder: any Decoder) throws {
    wrappedValue = try decoder.singleValueContainer().decode(Value.self)
    range = nil
    meaning = nil
  }

  /// Writes the value alone.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(wrappedValue)
  }

  /// Compares the values.
  public static func == (left: Setting, right: Setting) -> Bool {
    left.wrappedValue == right.wrappedValue
  }

  /// Hashes the value.
  public func hash(into hasher: inout Hasher) { hasher.combine(wrappedValue) }
}

/// The values that a setting may have, in words and as a test.
public struct SettingRange<Value: Sendable>: Sendable, CustomStringConvertible {
  /// As in "a number above 0", after "expected".
  public let description: String
  let contains: @Sendable (Value) -> Bool
  /// What an error calls a value that is not in the range; the value itself if nil.
  let foundText: String?

  /// A range of one's own.
  ///
  /// - Parameters:
  ///   - description: what is expected, as in "an odd number up to 255".
  ///   - contains: whether a value is good.
  public init(_ description: String, contains: @escaping @Sendable (Value) -> Bool) {
    self.init(description, foundText: nil, contains: contains)
  }

  private init(
    _ description: String, foundText: String?, contains: @escaping @Sendable (Value) -> Bool
  ) {
    self.description = description
    self.foundText = foundText
    self.contains = contains
  }
}

extension SettingRange where Value: Comparable {
  /// From the lower to the upper bound, both included.
  public init(_ bounds: ClosedRange<Value>) {
    self.init("\(Self.text(bounds.lowerBound)) to \(Self.text(bounds.upperBound))") {
      bounds.contains($0)
    }
  }

  /// A bound as one writes it: 1, not 1.0.
  private static func text(_ bound: Value) -> String {
    let text = "\(bound)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}

extension SettingRange where Value: BinaryInteger {
  /// Counts of something that there must be.
  public static var positive: SettingRange { .init("a number above 0") { $0 > 0 } }
  /// Counts of something that there may be; intervals and limits where 0 stands for none.
  public static var notNegative: SettingRange { .init("a number from 0") { $0 >= 0 } }
}

extension SettingRange where Value: BinaryFloatingPoint {
  /// Scales, ranges, temperatures.
  public static var positive: SettingRange {
    .init("a number above 0") { $0 > 0 && $0.isFinite }
  }
  /// Learning rates, coefficients, decays of weights; limits where 0 stands for none.
  public static var notNegative: SettingRange {
    .init("a number from 0") { $0 >= 0 && $0.isFinite }
  }
  /// Parts of a whole and probabilities.
  public static var fraction: SettingRange { .init("0 to 1") { (0...1).contains($0) } }
  /// Parts that leave something.
  public static var properFraction: SettingRange {
    .init("0 to less than 1") { (0..<1).contains($0) }
  }
  /// Parts that are something.
  public static var positiveFraction: SettingRange {
    .init("above 0, up to 1") { $0 > 0 && $0 <= 1 }
  }
  /// Anything but infinity and NaN.
  public static var finite: SettingRange { .init("a number") { $0.isFinite } }
}

extension SettingRange where Value == String {
  /// A text that has no default: `description` says what it is.
  public static func required(_ description: String) -> SettingRange {
    .init(description, foundText: "nothing") { !$0.isEmpty }
  }
}

extension SettingRange {
  /// A list that has no default: `description` says what is in it.
  public static func required<Element>(_ description: String) -> SettingRange
  where Value == [Element] {
    .init(description, foundText: "none") { !$0.isEmpty }
  }
}

/// A setting whose type is not known.
protocol DeclaredSetting {
  var anyValue: Any { get }
  /// The type of the value.
  static var valueType: Any.Type { get }
  /// The range in words; nil where every value is good.
  var rangeText: String? { get }
  var meaning: String? { get }
  /// Checks another setting, of the same declaration, by the range of this one.
  func check(_ other: Any, at key: String) throws(ConfigurationError)
}

extension Setting: DeclaredSetting {
  var anyValue: Any { wrappedValue }
  static var valueType: Any.Type { Value.self }
  var rangeText: String? { range?.description }

  func check(_ other: Any, at key: String) throws(ConfigurationError) {
    guard let range, let value = (other as? Setting)?.wrappedValue else { return }
    try ConfigurationError.require(
      range.contains(value), key, range.foundText ?? SettingText.of(value), range.description)
  }
}

enum SettingText {
  /// A value as an error shows it; what is in an optional one without the word around it.
  static func of(_ value: Any) -> String {
    if let optional = value as? any AnyOptional {
      return optional.wrapped.map(of) ?? "nothing"
    }
    return "\(value)"
  }
}

protocol AnyOptional {
  static var wrappedType: Any.Type { get }
  var wrapped: Any? { get }
}

extension Optional: AnyOptional {
  static var wrappedType: Any.Type { Wrapped.self }
  var wrapped: Any? { map { $0 } }
}

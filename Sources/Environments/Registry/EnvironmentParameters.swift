import Files

/// A value of a configuration.
public enum EnvironmentParameter: Equatable, Sendable {
  case number(Double)
  case text(String)
  case flag(Bool)
}

extension EnvironmentParameter: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByStringLiteral, ExpressibleByBooleanLiteral
{
  /// A number.
  public init(floatLiteral value: Double) { self = .number(value) }
  /// A number.
  public init(integerLiteral value: Int) { self = .number(Double(value)) }
  /// A text.
  public init(stringLiteral value: String) { self = .text(value) }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .flag(value) }
}

extension EnvironmentParameter: CustomStringConvertible {
  /// The value as a configuration would write it.
  public var description: String {
    switch self {
    case .number(let value):
      value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
    case .text(let value): value
    case .flag(let value): "\(value)"
    }
  }
}

/// A parameter that an environment understands.
public struct EnvironmentParameterDescription: Equatable, Sendable {
  /// What it is called, such as `timeLimit`.
  public var key: String
  /// The value where none is given; a given one must be of the same kind.
  public var defaultValue: EnvironmentParameter
  /// The only texts allowed, or nil for any.
  public var choices: [String]?
  /// What it means, for `environment list`.
  public var meaning: String

  /// Describes a parameter.
  public init(
    _ key: String, default defaultValue: EnvironmentParameter, choices: [String]? = nil,
    _ meaning: String
  ) {
    self.key = key
    self.defaultValue = defaultValue
    self.choices = choices
    self.meaning = meaning
  }
}

/// The checked parameters of one environment: every described key has a value of its kind.
public struct EnvironmentParameters: Sendable {
  private let environment: String
  private let values: [String: EnvironmentParameter]

  /// Checks given values against descriptions and adds the defaults.
  ///
  /// A number or a truth value may also come as text, as it does from a command line.
  ///
  /// - Throws: `EnvironmentError.unknownParameter` and `.badParameter`.
  init(
    _ given: [String: EnvironmentParameter], for environment: String,
    described descriptions: [EnvironmentParameterDescription]
  ) throws {
    self.environment = environment
    let known = descriptions.map(\.key)
    if let key = given.keys.sorted().first(where: { !known.contains($0) }) {
      throw EnvironmentError.unknownParameter(
        environment: environment, key: key, nearest: key.nearest(among: known),
        known: known)
    }
    var values: [String: EnvironmentParameter] = [:]
    for description in descriptions {
      let value = given[description.key] ?? description.defaultValue
      guard let checked = Self.convert(value, like: description) else {
        throw EnvironmentError.badParameter(
          environment: environment, key: description.key, found: "'\(value)'",
          expected: Self.expectation(description))
      }
      values[description.key] = checked
    }
    self.values = values
  }

  /// Every value as a configuration would write it.
  var texts: [String: String] { values.mapValues(\.description) }

  /// A number, which `isAllowed` may restrict.
  ///
  /// - Throws: `EnvironmentError.badParameter` naming `expected`.
  public func number(
    _ key: String, expected: String = "a number", where isAllowed: (Double) -> Bool = \.isFinite
  ) throws -> Double {
    guard case .number(let value)? = values[key] else { undescribed(key) }
    guard isAllowed(value) else {
      throw EnvironmentError.badParameter(
        environment: environment, key: key, found: "\(EnvironmentParameter.number(value))",
        expected: expected)
    }
    return value
  }

  /// A whole number of at least 1.
  ///
  /// - Throws: `EnvironmentError.badParameter`.
  public func count(_ key: String) throws -> Int {
    Int(
      try number(key, expected: "a whole number from 1") {
        $0 >= 1 && $0 < 1e9 && $0 == $0.rounded()
      })
  }

  /// A text.
  public func text(_ key: String) -> String {
    guard case .text(let value)? = values[key] else { undescribed(key) }
    return value
  }

  /// A truth value.
  public func flag(_ key: String) -> Bool {
    guard case .flag(let value)? = values[key] else { undescribed(key) }
    return value
  }

  private func undescribed(_ key: String) -> Never {
    preconditionFailure("environment \(environment) asks for '\(key)', which it did not describe")
  }

  private static func convert(
    _ value: EnvironmentParameter, like description: EnvironmentParameterDescription
  ) -> EnvironmentParameter? {
    switch (description.defaultValue, value) {
    case (.number, .number), (.flag, .flag): return value
    case (.text, .text(let text)):
      return description.choices?.contains(text) ?? true ? value : nil
    case (.number, .text(let text)): return Double(text).map { .number($0) }
    case (.flag, .text(let text)): return Bool(text).map { .flag($0) }
    default: return nil
    }
  }

  private static func expectation(_ description: EnvironmentParameterDescription) -> String {
    switch description.defaultValue {
    case .number: "a number"
    case .flag: "true or false"
    case .text: description.choices?.joined(separator: " or ") ?? "a text"
    }
  }
}

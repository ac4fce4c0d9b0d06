import ArgumentParser
import Files

/// What the user typed, as the parser takes it: a value may begin with a dash or be empty, and a seed
/// of -1 is a random one.
struct CommandArguments {
  /// For the parser.
  let arguments: [String]
  /// The seed in place of -1; nil if none was asked for.
  let randomSeed: UInt64?

  /// - Parameters:
  ///   - typed: without the program's name.
  ///   - makeSeed: draws a seed, short enough to be typed again.
  init(_ typed: [String], makeSeed: () -> UInt64 = randomSeed) {
    var arguments: [String] = []
    var seed: UInt64?
    var rest = typed[...]
    while let argument = rest.popFirst() {
      // What follows is taken as it is.
      if argument == "--" {
        arguments += [argument] + rest
        break
      }
      guard Self.isOption(argument) else {
        arguments.append(argument)
        continue
      }
      var (name, value) = Self.split(argument)
      if value == nil, let next = rest.first, Self.isDashedValue(next) {
        value = next
        rest.removeFirst()
      }
      if name == "--seed", value == "-1" {
        let drawn = seed ?? makeSeed()
        seed = drawn
        value = "\(drawn)"
      }
      switch value {
      case nil: arguments.append(name)
      // The parser takes an empty value only as an argument of its own.
      case "": arguments += [name, ""]
      case let value?: arguments.append("\(name)=\(value)")
      }
    }
    self.arguments = arguments
    randomSeed = seed
  }

  /// A seed that is short enough to be typed.
  static func randomSeed() -> UInt64 { .random(in: 0..<(1 << 32)) }

  /// The line by which a user learns a seed that was drawn.
  static func note(ofSeed seed: UInt64) -> String { "attune: --seed \(seed)" }

  private static func isOption(_ argument: String) -> Bool {
    argument.wholeMatch(of: #/(?s)--[a-z][a-z0-9-]*(=.*)?/#) != nil
  }

  private static func split(_ option: String) -> (name: String, value: String?) {
    guard let equals = option.firstIndex(of: "=") else { return (option, nil) }
    return (String(option[..<equals]), String(option[option.index(after: equals)...]))
  }

  /// Whether an argument begins with a dash without being an option: `-1`, `-1girl`, `--no hats`. No
  /// short option of Attune has more than a letter.
  private static func isDashedValue(_ argument: String) -> Bool {
    argument.hasPrefix("-") && argument != "-" && argument != "--" && !isOption(argument)
      && argument.wholeMatch(of: #/-[A-Za-z](=.*)?/#) == nil
  }
}

/// Checks the path that an option gives.
func validatePath(_ path: String, of option: String) throws {
  if path.isEmpty { throw ValidationError("--\(option) is empty, expected a path") }
}

/// Checks the path of a file to write, whose ending says what it is.
func validateOutput(_ path: String, of option: String = "output", ending: String) throws {
  try validatePath(path, of: option)
  guard path.lowercased().hasSuffix(ending) else {
    throw ValidationError("--\(option) must end in \(ending), not '\(path)'")
  }
}

/// Checks the number that an option gives.
func validateRange(_ option: String, _ number: Int, _ range: ClosedRange<Int>) throws {
  guard range.contains(number) else {
    throw ValidationError(
      "--\(option) is \(number), expected \(range.lowerBound) to \(range.upperBound)")
  }
}

/// Checks `--guidance`.
func validateGuidance(_ guidance: Float) throws {
  guard (0...1_000).contains(guidance) else {
    throw ValidationError("--guidance is \(guidance), expected 0 to 1000")
  }
}

/// Checks `--time-limit`.
func validateTimeLimit(_ seconds: Double) throws {
  guard seconds > 0, seconds <= 1e6 else {
    throw ValidationError("--time-limit is \(seconds), expected seconds above 0")
  }
}

/// The override that sets a key to a text, whatever is in it.
func override(_ key: String, text: String) -> String { "\(key)=\(quotedYAML(text))" }

/// A text in quotes, as YAML reads it.
func quotedYAML(_ text: String) -> String {
  "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
}

/// A text file of prompts, one a line; empty lines and those that begin with # are left out.
struct PromptFile {
  let prompts: [String]

  /// - Throws: `FileError` if it cannot be read, is no text, or has no prompt in it.
  init(_ path: String) throws {
    prompts = try TextFile.lines(path: path)
      .map { $0.trimmingPrefix(while: \.isWhitespace) }
      .filter { !$0.isEmpty && !$0.hasPrefix("#") }
      .map(String.init)
    guard !prompts.isEmpty else {
      throw FileError(
        .missing, path: path, problem: "has no prompts", advice: "write one a line")
    }
  }
}

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
  init(_ typed: [String], makeSeed: () -> UInt64 = { .random(in: 0..<(1 << 32)) }) {
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

import Files

/// Reads the words of a reward: terms `[weight *] name [: argument]` joined by `+` and `-`.
struct RewardExpressionParser {
  private let text: String
  private let characters: [Character]
  private let kinds: [RewardKind]
  private var position = 0

  init(_ text: String, kinds: [RewardKind]) {
    self.text = text
    self.kinds = kinds
    characters = Array(text)
  }

  mutating func terms() throws(RewardError) -> [RewardExpression.Term] {
    var terms: [RewardExpression.Term] = []
    var sign: Float = take("-") ? -1 : 1
    while true {
      terms.append(try term(sign: sign))
      skipSpace()
      guard let character = peek else { return terms }
      guard character == "+" || character == "-" else {
        throw error("has '\(character)' where + or - or its end is expected")
      }
      position += 1
      sign = character == "-" ? -1 : 1
    }
  }

  private mutating func term(sign: Float) throws(RewardError) -> RewardExpression.Term {
    skipSpace()
    var weight = sign
    let start = position
    while let character = peek, character.isASCII,
      character.isNumber || character == "."
        || (position > start && (character == "e" || "+-".contains(character) && endsInExponent))
    {
      position += 1
    }
    if position > start {
      let digits = String(characters[start..<position])
      guard let number = Float(digits), number.isFinite, take("*") else {
        throw error("has '\(digits)', which is not a weight followed by *")
      }
      weight *= number
    }
    skipSpace()
    let name = name()
    let hasArgument = take(":")
    let kind = try kind(named: name)
    let argument = try hasArgument ? argument(of: kind, named: name) : nil
    try check(argument, of: kind, named: name)
    var words: [String] = []
    if kind.argument == .program, let argument { words = try CommandWords.split(argument) }
    return RewardExpression.Term(
      weight: weight, kind: kind, argument: argument, words: words)
  }

  private var endsInExponent: Bool { characters[position - 1] == "e" }

  /// Letters, and hyphens between letters.
  private mutating func name() -> String {
    let start = position
    while let character = peek {
      let isHyphen =
        character == "-" && position > start && position + 1 < characters.count
        && characters[position + 1].isLetter
      guard character.isLetter || isHyphen else { break }
      position += 1
    }
    return String(characters[start..<position])
  }

  private mutating func argument(
    of kind: RewardKind, named name: String
  ) throws(RewardError) -> String {
    skipSpace()
    if let quote = peek, quote == "'" || quote == "\"" {
      guard let end = characters[(position + 1)...].firstIndex(of: quote) else {
        throw error("has no closing \(quote)")
      }
      defer { position = end + 1 }
      return String(characters[(position + 1)..<end])
    }
    defer { position = characters.count }
    let rest = String(characters[position...])
    if kind.argument != .program, rest.contains(where: { "+*".contains($0) }) {
      throw error(
        "has '\(rest)' after '\(name):'", advice: "put quotes around the argument's text")
    }
    return rest
  }

  private func kind(named name: String) throws(RewardError) -> RewardKind {
    if let kind = kinds.first(where: { $0.name == name || $0.aliases.contains(name) }) {
      return kind
    }
    let names = kinds.flatMap { $0.aliases + [$0.name] }
    let found = name.isEmpty ? "nothing" : "'\(name)'"
    let near = name.nearest(among: names).map { "; did you mean '\($0)'?" }
    throw error(
      "has \(found) where the name of a reward is expected",
      advice: "there are \(names.joined(separator: ", "))\(near ?? "")")
  }

  /// Makes sure that a kind has the argument that it must have, and no other.
  private func check(
    _ argument: String?, of kind: RewardKind, named name: String
  ) throws(RewardError) {
    if argument?.allSatisfy(\.isWhitespace) == true { throw error("has nothing after '\(name):'") }
    switch (kind.argument, argument) {
    case (.none, .some): throw error("has words after '\(name):', which takes none")
    case (.path(let what, let example), nil):
      throw error("has no \(what) for '\(name)'", advice: "write \(name):'\(example)'")
    case (.program, nil):
      throw error("has no program for '\(name)'", advice: "write \(name):'PROGRAM ARGS'")
    case (.none, nil), (.text, _), (.path, .some), (.program, .some): return
    }
  }

  private var peek: Character? { position < characters.count ? characters[position] : nil }

  private mutating func skipSpace() { while peek?.isWhitespace == true { position += 1 } }

  private mutating func take(_ character: Character) -> Bool {
    skipSpace()
    guard peek == character else { return false }
    position += 1
    return true
  }

  private func error(_ problem: String, advice: String? = nil) -> RewardError {
    RewardError(.expression, reward: text, problem: problem, advice: advice)
  }
}

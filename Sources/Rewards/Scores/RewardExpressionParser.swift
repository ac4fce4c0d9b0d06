import Files

/// Reads the words of a reward: terms `[weight *] name [: argument]` joined by `+` and `-`.
struct RewardExpressionParser {
  private let text: String
  private let characters: [Character]
  private var position = 0

  init(_ text: String) {
    self.text = text
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
    let argument = try take(":") ? argument(of: name) : nil
    return RewardExpression.Term(weight: weight, kind: try kind(name, argument))
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

  private mutating func argument(of name: String) throws(RewardError) -> String {
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
    if name != "command", rest.contains(where: { "+*".contains($0) }) {
      throw error(
        "has '\(rest)' after '\(name):'", advice: "put quotes around the argument's text")
    }
    return rest
  }

  private func kind(
    _ name: String, _ argument: String?
  ) throws(RewardError) -> RewardExpression.Kind {
    if argument?.allSatisfy(\.isWhitespace) == true {
      throw error("has nothing after '\(name):'")
    }
    switch (name, argument) {
    case ("clip", _): return .clip(text: argument)
    case ("clip-choice", .some(let path)): return .choice(groupsPath: path)
    case ("clip-choice", nil):
      throw error("has no phrases for 'clip-choice'", advice: "write clip-choice:'FILE.txt'")
    case ("attributes", .some(let folder)): return .attributes(classifierFolder: folder)
    case ("attributes", nil):
      throw error("has no classifier for 'attributes'", advice: "write attributes:'FOLDER'")
    case ("aesthetic", .some(let path)): return .aesthetic(headPath: path)
    case ("aesthetic", nil):
      throw error("has no head for 'aesthetic'", advice: "write aesthetic:'FILE.safetensors'")
    case ("command", .some(let words)): return .command(try CommandWords.split(words))
    case ("command", nil):
      throw error("has no program for 'command'", advice: "write command:'PROGRAM ARGS'")
    case ("compressibility", nil): return .size(.compressibility)
    case ("incompressibility", nil), ("png-size", nil): return .size(.incompressibility)
    case ("compressibility", _), ("incompressibility", _), ("png-size", _):
      throw error("has words after '\(name):', which takes none")
    default:
      let found = name.isEmpty ? "nothing" : "'\(name)'"
      let near = name.nearest(among: RewardExpression.names).map { "; did you mean '\($0)'?" }
      throw error(
        "has \(found) where the name of a reward is expected",
        advice: "there are \(RewardExpression.names.joined(separator: ", "))\(near ?? "")")
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

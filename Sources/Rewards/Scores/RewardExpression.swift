import Files
import Media

/// A kind of reward that words can name. A new one is its reward with a `kind`, in one file, and a
/// line in `RewardKind.all`.
public struct RewardKind: Sendable {
  /// What follows the name and a colon.
  public enum Argument: Sendable, Equatable {
    /// Nothing may.
    case none
    /// A text may.
    case text
    /// A path must; what is found there and how to write it are for messages.
    case path(what: String, example: String)
    /// A program and its arguments must.
    case program
  }

  /// What a reward is made of.
  public struct Parts {
    /// What followed the name.
    public let argument: String?
    /// The words of a program.
    public let words: [String]
    /// The seconds that an external program may take for one list of images.
    public let timeLimit: Double
    private let model: ImageTextModel?

    init(argument: String?, words: [String], timeLimit: Double, model: ImageTextModel?) {
      self.argument = argument
      self.words = words
      self.timeLimit = timeLimit
      self.model = model
    }

    /// The CLIP model, of kinds that need one.
    public var clip: ImageTextModel {
      guard let model else {
        preconditionFailure("a kind of reward that does not need CLIP uses it")
      }
      return model
    }

    /// The argument, of kinds that must have one.
    public var path: String {
      guard let argument else { preconditionFailure("a kind of reward without a path uses one") }
      return argument
    }
  }

  /// What it is called, in words and in what a run remembers.
  public let name: String
  /// Other names for the same.
  public let aliases: [String]
  /// What follows its name.
  public let argument: Argument
  /// Whether it is made of a CLIP model.
  public let needsCLIP: Bool
  let needsPrompts: @Sendable (_ argument: String?) -> Bool
  let make: @Sendable (Parts) throws -> any Reward

  /// Describes a kind of reward.
  ///
  /// - Parameters:
  ///   - name: letters, and hyphens between them.
  ///   - aliases: other names.
  ///   - argument: what follows the name.
  ///   - needsCLIP: whether it is made of a CLIP model.
  ///   - needsPrompts: whether scores depend on what images were made for, given the argument.
  ///   - make: makes the reward.
  public init(
    name: String, aliases: [String] = [], argument: Argument = .none, needsCLIP: Bool = false,
    needsPrompts: @escaping @Sendable (_ argument: String?) -> Bool = { _ in false },
    make: @escaping @Sendable (Parts) throws -> any Reward
  ) {
    self.name = name
    self.aliases = aliases
    self.argument = argument
    self.needsCLIP = needsCLIP
    self.needsPrompts = needsPrompts
    self.make = make
  }

  /// Those that Attune knows.
  public static let all =
    [
      CLIPReward.kind, ChoiceReward.kind, AttributeReward.kind, AestheticReward.kind,
      ViCLIPReward.kind,
    ]
    + PNGSizeReward.kinds + [CommandReward.kind]
}

/// A reward in words: `clip`, `clip:'a red robe'`, `clip-choice:'phrases.txt'`,
/// `attributes:'classifier'`, `aesthetic:'head.safetensors'`, `compressibility`,
/// `incompressibility`, `png-size`, `command:'PROGRAM ARGS'`, and sums such as `0.7*clip +
/// 0.3*png-size`.
///
/// An argument without quotes goes on to the end of the words, so that a shell may take the quotes
/// of `command:'PROGRAM ARGS'` away.
public struct RewardExpression: Sendable {
  /// One part of a sum.
  public struct Term: Sendable {
    /// The factor.
    public let weight: Float
    /// What is weighted.
    public let kind: RewardKind
    /// What followed its name.
    public let argument: String?
    /// The words of a program; empty for other kinds.
    public let words: [String]
  }

  /// The parts, in the order of the words.
  public let terms: [Term]

  /// Reads the words.
  ///
  /// - Parameters:
  ///   - text: the words.
  ///   - kinds: what they may name.
  /// - Throws: `RewardError` saying where they are not a reward.
  public init(_ text: String, kinds: [RewardKind] = RewardKind.all) throws(RewardError) {
    var parser = RewardExpressionParser(text, kinds: kinds)
    terms = try parser.terms()
  }

  /// Whether a CLIP model is needed.
  public var needsCLIP: Bool { terms.contains(where: \.kind.needsCLIP) }

  /// Whether scores depend on what images were made for; programs are taken to read it.
  public var needsPrompts: Bool { terms.contains { $0.kind.needsPrompts($0.argument) } }

  /// The reward itself.
  ///
  /// - Parameters:
  ///   - clipFolder: the folder of the CLIP model, for those that need one.
  ///   - timeLimit: the seconds that an external program may take for one list of images.
  /// - Throws: `RewardError` if a model is needed and none is named; `FileError` if a file cannot
  ///   be used.
  public func reward(
    clipFolder: String? = nil, timeLimit: Double = 600
  ) throws -> any Reward {
    var model: ImageTextModel?
    if needsCLIP {
      guard let clipFolder else {
        throw RewardError(
          .expression, reward: "clip", problem: "needs a model",
          advice: "name the folder of a CLIP model")
      }
      model = try ImageTextModel(folder: clipFolder)
    }
    let rewards = try terms.map { term in
      let parts = RewardKind.Parts(
        argument: term.argument, words: term.words, timeLimit: timeLimit, model: model)
      return (weight: term.weight, reward: try term.kind.make(parts))
    }
    if rewards.count == 1, rewards[0].weight == 1 { return rewards[0].reward }
    return WeightedReward(rewards)
  }
}

/// A sum of rewards with weights.
public struct WeightedReward: Reward {
  /// The parts.
  public let terms: [(weight: Float, reward: any Reward)]

  /// Sums rewards.
  public init(_ terms: [(weight: Float, reward: any Reward)]) {
    precondition(!terms.isEmpty, "a sum of no rewards")
    self.terms = terms
  }

  /// The parts with their weights: `0.7*clip + 0.3*aesthetic`.
  public var name: String {
    terms.enumerated().map { index, term in
      let sign = term.weight < 0 ? (index == 0 ? "-" : " - ") : (index == 0 ? "" : " + ")
      let size = abs(term.weight)
      return sign + (size == 1 ? "" : "\(size)*") + term.reward.name
    }.joined()
  }

  /// The sum for each; NaN where a part has none.
  public func scores(_ media: [Media], prompts: [String]) throws -> [Float] {
    var sums = [Float](repeating: 0, count: media.count)
    for (weight, reward) in terms {
      let scores = try reward.scores(media, prompts: prompts)
      for index in sums.indices { sums[index] += weight * scores[index] }
    }
    return sums
  }
}

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

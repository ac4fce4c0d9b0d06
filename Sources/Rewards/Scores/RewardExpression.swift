import Files

/// A reward in words: `clip`, `clip:'a red robe'`, `clip-choice:'phrases.txt'`,
/// `attributes:'classifier'`, `aesthetic:'head.safetensors'`, `compressibility`,
/// `incompressibility`, `png-size`, `command:'PROGRAM ARGS'`, and sums such as `0.7*clip +
/// 0.3*png-size`.
///
/// An argument without quotes goes on to the end of the words, so that a shell may take the quotes
/// of `command:'PROGRAM ARGS'` away.
public struct RewardExpression: Sendable, Equatable {
  /// One part of a sum.
  public struct Term: Sendable, Equatable {
    /// The factor.
    public let weight: Float
    /// What is weighted.
    public let kind: Kind
  }

  /// What a part of a sum may be.
  public enum Kind: Sendable, Equatable {
    /// How well a picture fits its prompt, or a fixed text.
    case clip(text: String?)
    /// How surely each phrase of a prompt is found rather than another of its group, from a file.
    case choice(groupsPath: String)
    /// How surely a classifier, from a folder, sees each attribute that a prompt asks for.
    case attributes(classifierFolder: String)
    /// A head on CLIP's features, from a file.
    case aesthetic(headPath: String)
    /// The size as a PNG file; `png-size` is `incompressibility`.
    case size(PNGSizeReward.Direction)
    /// An external program and its arguments.
    case command([String])
  }

  /// The parts, in the order of the words.
  public let terms: [Term]

  static let names = [
    "clip", "clip-choice", "attributes", "aesthetic", "png-size", "compressibility",
    "incompressibility", "command",
  ]

  /// Reads the words.
  ///
  /// - Throws: `RewardError` saying where they are not a reward.
  public init(_ text: String) throws(RewardError) {
    var parser = RewardExpressionParser(text)
    terms = try parser.terms()
  }

  /// Whether a CLIP model is needed.
  public var needsCLIP: Bool {
    terms.contains { term in
      switch term.kind {
      case .clip, .choice, .aesthetic: true
      case .attributes, .size, .command: false
      }
    }
  }

  /// Whether scores depend on what pictures were made for; programs are taken to read it.
  public var needsPrompts: Bool {
    terms.contains { term in
      switch term.kind {
      case .clip(let text): text == nil
      case .choice, .attributes, .command: true
      case .aesthetic, .size: false
      }
    }
  }

  /// The reward itself.
  ///
  /// - Parameters:
  ///   - clipFolder: the folder of the CLIP model, for those that need one.
  ///   - timeLimit: the seconds that an external program may take for one list of pictures.
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
    var rewards: [(weight: Float, reward: any Reward)] = []
    for term in terms {
      switch (term.kind, model) {
      case (.clip(let text), .some(let model)):
        rewards.append((term.weight, CLIPReward(model, text: text)))
      case (.choice(let path), .some(let model)):
        let groups = try PhraseGroups(path: path)
        rewards.append((term.weight, ChoiceReward(model, groups: groups, path: path)))
      case (.aesthetic(let path), .some(let model)):
        rewards.append((term.weight, try AestheticReward(model, headPath: path)))
      case (.attributes(let folder), _):
        let classifier = try AttributeClassifier(folder: folder)
        rewards.append((term.weight, AttributeReward(classifier, path: folder)))
      case (.size(let direction), _):
        rewards.append((term.weight, PNGSizeReward(direction)))
      case (.command(let words), _):
        rewards.append((term.weight, CommandReward(words, timeLimit: timeLimit)))
      case (.clip, nil), (.choice, nil), (.aesthetic, nil):
        preconditionFailure("a model is there if one is needed")
      }
    }
    if rewards.count == 1, rewards[0].weight == 1 { return rewards[0].reward }
    return WeightedReward(rewards)
  }
}

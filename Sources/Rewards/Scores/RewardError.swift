import Files

/// A reward that cannot be had: its name, what happened and what to do.
public struct RewardError: Error, Equatable, CustomStringConvertible {
  /// What kind of failure it is, for programs that decide by it.
  public enum Kind: Sendable, Equatable {
    /// The words for it are wrong.
    case expression
    /// A score is not finite.
    case score
    /// An external program could not be started.
    case launch
    /// An external program did not end in time.
    case timeOut
    /// An external program ended with another status than 0.
    case status(Int32)
    /// An external program was ended by a signal.
    case signal(Int32)
    /// An external program printed something else than it should.
    case output
  }

  /// What kind of failure it is.
  public let kind: Kind
  /// The reward's name.
  public let reward: String
  /// What was found, and what was expected.
  public let problem: String
  /// What to do next.
  public let advice: String?

  /// Describes a failure; texts from elsewhere may be hostile, `description` escapes them.
  public init(_ kind: Kind = .score, reward: String, problem: String, advice: String? = nil) {
    self.kind = kind
    self.reward = reward
    self.problem = problem
    self.advice = advice
  }

  /// One line: `reward 'name': problem; advice`.
  public var description: String {
    var text = "reward '\(reward.printable)' \(problem.printable)"
    if let advice { text += "; \(advice.printable)" }
    return text
  }
}

import Media

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

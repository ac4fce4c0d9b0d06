import Rewards

extension RewardScores {
  /// The standard error of the mean; 0 for a single score.
  public var standardError: Double {
    let scores = finite.map { Double($0) }
    guard scores.count > 1, let mean else { return 0 }
    let squares = scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(scores.count - 1) / Double(scores.count)).squareRoot()
  }
}

/// What a rollout of `T` decisions in `B` environments earned; arrays are `[T, B]`, time first.
public struct RolloutRewards: Sendable {
  /// The (scaled) reward of each decision.
  public var rewards: [Float]
  /// V(s) before each decision.
  public var values: [Float]
  /// V(s') after each decision: of an episode's final observation where it ended, never of the
  /// state that the next episode starts from.
  public var nextValues: [Float]
  /// Whether the task itself ended: s' has no value then.
  public var isTerminated: [Bool]
  /// Whether the episode ended, for whatever reason: what follows belongs to another one.
  public var isFinished: [Bool]
  /// Whether a decision's episode was lost in it: nobody knows what it was worth. The one before it
  /// ends as by a time-out, in the state that it was to be made in. Empty if none was.
  public var isLost: [Bool]
  /// `B`
  public let environmentCount: Int

  /// Takes the parts of a rollout, which have the same number of elements.
  public init(
    rewards: [Float], values: [Float], nextValues: [Float], isTerminated: [Bool],
    isFinished: [Bool], isLost: [Bool] = [], environmentCount: Int
  ) {
    let counts =
      [values.count, nextValues.count, isTerminated.count, isFinished.count]
      + (isLost.isEmpty ? [] : [isLost.count])
    precondition(
      environmentCount > 0 && rewards.count.isMultiple(of: environmentCount)
        && counts.allSatisfy { $0 == rewards.count },
      "a rollout of \(rewards.count) rewards in \(environmentCount) environments has parts of "
        + "\(counts)")
    self.rewards = rewards
    self.values = values
    self.nextValues = nextValues
    self.isTerminated = isTerminated
    self.isFinished = isFinished
    self.isLost = isLost
    self.environmentCount = environmentCount
  }

  /// Generalized advantage estimation (Schulman et al., arXiv:1506.02438, equation 16):
  ///
  ///     delta_t = r_t + gamma V(s'_t) - V(s_t)
  ///     A_t = delta_t + gamma lambda A_{t+1}
  ///
  /// V(s') is 0 after a termination, but not after a time-out; A_{t+1} is 0 after either. A lost
  /// decision has the advantage 0 and is not to be learned from.
  ///
  /// - Returns: advantages and returns A + V, `[T, B]`.
  public func generalizedAdvantages(
    gamma: Float, gaeLambda lambda: Float
  ) -> (advantages: [Float], returns: [Float]) {
    var advantages = [Float](repeating: 0, count: rewards.count)
    var following = [Float](repeating: 0, count: environmentCount)
    for index in rewards.indices.reversed() {
      let environment = index % environmentCount
      if !isLost.isEmpty, isLost[index] {
        following[environment] = 0
        continue
      }
      let nextValue = isTerminated[index] ? 0 : nextValues[index]
      let delta = rewards[index] + gamma * nextValue - values[index]
      let trace = isFinished[index] ? 0 : following[environment]
      following[environment] = delta + gamma * lambda * trace
      advantages[index] = following[environment]
    }
    return (advantages, zip(advantages, values).map { $0 + $1 })
  }
}

/// 1 - Var(returns - values) / Var(returns): 1 for a perfect critic, 0 for one that knows nothing;
/// nil if all returns are equal.
public func explainedVariance(values: [Float], returns: [Float]) -> Double? {
  precondition(values.count == returns.count, "\(values.count) values, \(returns.count) returns")
  func variance(_ numbers: some Collection<Double>) -> Double {
    let mean = numbers.reduce(0, +) / Double(max(numbers.count, 1))
    return numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(numbers.count, 1))
  }
  let spread = variance(returns.lazy.map(Double.init))
  guard spread > 0 else { return nil }
  return 1 - variance(zip(returns, values).lazy.map { Double($0) - Double($1) }) / spread
}

/// How the advantages of a minibatch are prepared for the policy loss.
public struct AdvantageScaling: Sendable, Hashable {
  /// Whether they are brought to mean 0 and standard deviation 1.
  public var isNormalized: Bool
  /// The quantiles that they are clamped to; 0 ... 1 clamps nothing.
  public var quantiles: ClosedRange<Double>

  /// Normalized and not clamped, unless told otherwise.
  public init(isNormalized: Bool = true, quantiles: ClosedRange<Double> = 0...1) {
    self.isNormalized = isNormalized
    self.quantiles = quantiles
  }

  /// The prepared advantages.
  public func callAsFunction(_ advantages: [Float]) -> [Float] {
    var result = isNormalized ? Self.normalized(advantages) : advantages
    guard quantiles != 0...1 else { return result }
    let sorted = result.sorted()
    let low = Self.quantile(quantiles.lowerBound, ofSorted: sorted)
    let high = Self.quantile(quantiles.upperBound, ofSorted: sorted)
    for index in result.indices { result[index] = min(max(result[index], low), high) }
    return result
  }

  /// (A - mean) / (standard deviation + 1e-8), with the unbiased standard deviation of `torch.std`.
  static func normalized(_ advantages: [Float]) -> [Float] {
    let count = Double(advantages.count)
    let mean = advantages.reduce(0.0) { $0 + Double($1) } / max(count, 1)
    let squares = advantages.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    // One advantage has no standard deviation: torch gives not-a-number here.
    let std = (squares / max(count - 1, 1)).squareRoot()
    return advantages.map { Float((Double($0) - mean) / (std + 1e-8)) }
  }

  /// Between the two nearest values, linearly, as `torch.quantile`.
  static func quantile(_ quantile: Double, ofSorted sorted: [Float]) -> Float {
    precondition(!sorted.isEmpty, "no advantages")
    let position = quantile * Double(sorted.count - 1)
    let low = Int(position.rounded(.down))
    let high = min(low + 1, sorted.count - 1)
    return sorted[low] + (sorted[high] - sorted[low]) * Float(position - Double(low))
  }
}

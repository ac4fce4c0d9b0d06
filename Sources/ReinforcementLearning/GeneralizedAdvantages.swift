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
  /// `B`
  public let environmentCount: Int

  /// Takes the parts of a rollout, which have the same number of elements.
  public init(
    rewards: [Float], values: [Float], nextValues: [Float], isTerminated: [Bool],
    isFinished: [Bool], environmentCount: Int
  ) {
    let counts = [values.count, nextValues.count, isTerminated.count, isFinished.count]
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
    self.environmentCount = environmentCount
  }

  /// Generalized advantage estimation (Schulman et al., arXiv:1506.02438, equation 16):
  ///
  ///     delta_t = r_t + gamma V(s'_t) - V(s_t)
  ///     A_t = delta_t + gamma lambda A_{t+1}
  ///
  /// V(s') is 0 after a termination, but not after a time-out; A_{t+1} is 0 after either.
  ///
  /// - Returns: advantages and returns A + V, `[T, B]`.
  public func generalizedAdvantages(
    gamma gamma: Float, gaeLambda lambda: Float
  ) -> (advantages: [Float], returns: [Float]) {
    var advantages = [Float](repeating: 0, count: rewards.count)
    var following = [Float](repeating: 0, count: environmentCount)
    for index in rewards.indices.reversed() {
      let environment = index % environmentCount
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

/// Divides rewards by the running standard deviation of the discounted return, without shifting
/// them (Engstrom et al., arXiv:2005.12729, section 3), as the DPPO reference does.
public struct RewardScaler: Sendable, Codable, Equatable {
  private var moments = RunningMoments()
  /// The discounted sum of the rewards so far of each environment's episode.
  private var sums: [Double]
  private let gamma: Double
  private let limit: Double
  private static let epsilon = 1e-8

  /// - Parameters:
  ///   - environmentCount: `B`
  ///   - gamma: the discount of the running sums.
  ///   - limit: scaled rewards are clamped to +- this.
  public init(environmentCount: Int, gamma: Double = 0.99, limit: Double = 10) {
    sums = Array(repeating: 0, count: environmentCount)
    self.gamma = gamma
    self.limit = limit
  }

  /// The standard deviation that rewards are divided by.
  public var scale: Double { (moments.variance + Self.epsilon).squareRoot() }

  /// Takes in the rewards of a rollout and scales them.
  ///
  /// - Parameters:
  ///   - rewards: `[T, B]`
  ///   - isFirst: whether a decision is its episode's first, `[T, B]`.
  ///   - isLost: whether a decision's reward means nothing, `[T, B]`; empty if all mean something.
  public mutating func callAsFunction(
    _ rewards: [Float], isFirst: [Bool], isLost: [Bool] = []
  ) -> [Float] {
    precondition(
      rewards.count == isFirst.count && rewards.count.isMultiple(of: sums.count),
      "\(rewards.count) rewards and \(isFirst.count) marks for \(sums.count) environments")
    var returns: [Double] = []
    returns.reserveCapacity(rewards.count)
    for (index, reward) in rewards.enumerated() {
      if !isLost.isEmpty, isLost[index] { continue }
      let environment = index % sums.count
      let earlier = isFirst[index] ? 0 : gamma * sums[environment]
      sums[environment] = Double(reward) + earlier
      returns.append(sums[environment])
    }
    moments.add(returns)
    let scale = scale
    return rewards.map { Float(min(max(Double($0) / scale, -limit), limit)) }
  }
}

/// Mean and variance of all numbers seen so far, batch by batch (Chan et al. 1979), starting from a
/// weak belief in mean 0 and variance 1.
public struct RunningMoments: Sendable, Codable, Equatable {
  /// The mean so far.
  public private(set) var mean = 0.0
  /// The variance so far.
  public private(set) var variance = 1.0
  private var count = 1e-4

  /// Nothing seen yet.
  public init() {}

  /// Takes in a batch.
  public mutating func add(_ numbers: [Double]) {
    guard !numbers.isEmpty else { return }
    let batchCount = Double(numbers.count)
    let batchMean = numbers.reduce(0, +) / batchCount
    let batchSquares = numbers.reduce(0) { $0 + ($1 - batchMean) * ($1 - batchMean) }
    let total = count + batchCount
    let difference = batchMean - mean
    mean += difference * batchCount / total
    let squares =
      variance * count + batchSquares + difference * difference * count * batchCount / total
    // The reference divides by total - 1, which the first number alone would make negative.
    variance = squares / max(total - 1, count)
    count = total
  }
}

import Configuration
import Diffusion
import NeuralNetworks
import Tensors
import Testing

@testable import InitialNoise

/// On a "model" whose image is a linear function of its noise, so that the best prior is known.
struct PriorLearnerTests {
  private static let shape = [3, 4, 2]

  /// The direction in which the reward rises, of length 1.
  private static let direction: Tensor = {
    var random = RandomStream(seed: 11)
    let direction = random.normal(shape)
    return direction / Float(direction.squaredNorm().squareRoot())
  }()

  private static func find(
    seed: UInt64 = 0, _ change: (inout FINDConfiguration) -> Void = { _ in }
  ) throws -> PriorLearner {
    var configuration = FINDConfiguration()
    change(&configuration)
    return try PriorLearner(
      process: oneStep, shape: shape, promptEmbedding: .zeros([4]), configuration: configuration,
      seed: seed)
  }

  /// r = <a, z>
  private static func linearRewards(_ noise: Tensor) -> [Float] {
    (noise * direction).flattened(from: 1).sum(along: 1).elements
  }

  @discardableResult
  private static func run(
    _ find: PriorLearner, iterations: Int, rewards: (Tensor) -> [Float?] = { linearRewards($0) }
  ) throws -> [PriorLearner.Report] {
    try (0..<iterations).map { _ in
      let noise = find.draw()
      return try find.learn(from: noise, rewards: rewards(noise))
    }
  }

  /// The reward -|z - m|^2 has its best mean at m, less what the penalty takes.
  @Test func convergesToTheBestMean() throws {
    let best = Self.direction * 2
    let find = try Self.find {
      $0.iterations = 400
      $0.imageCount = 32
      $0.rewardScaling = .none
      $0.priorPenaltyWeight = 0
      $0.stepSize = 0.01
      $0.clipRange = 1
      $0.historyLength = 1
    }
    try Self.run(find, iterations: 400) { noise in
      (-(noise - best).squared()).flattened(from: 1).sum(along: 1).elements
    }
    let error = (find.prior.mean - best).squaredNorm().squareRoot()
    #expect(error <= 0.2)
  }

  /// With a reward <a, z> and the penalty w KL, w |mu|^2 / 2, the best mean is a / w.
  @Test func penaltyHoldsTheMean() throws {
    let find = try Self.find {
      $0.iterations = 300
      $0.imageCount = 64
      $0.rewardScaling = .none
      $0.priorPenaltyWeight = 0.5
      $0.stepSize = 0.05
      $0.clipRange = 1
      $0.historyLength = 1
    }
    try Self.run(find, iterations: 300)
    let error = (find.prior.mean - Self.direction * 2).squaredNorm().squareRoot()
    #expect(error <= 0.25)
  }

  /// Narrow is better for -|z|^2.
  @Test func learnsTheStd() throws {
    let find = try Self.find {
      $0.iterations = 60
      $0.imageCount = 32
      $0.learnsStd = true
      $0.stepSize = 0.1
    }
    try Self.run(find, iterations: 60) { noise in
      (-noise.squared()).flattened(from: 1).sum(along: 1).elements
    }
    #expect(find.prior.standardDeviation.mean().scalar < 0.8)
    #expect(find.prior.standardDeviation.elements.allSatisfy { $0 >= 1e-4 })
  }

  /// |mu|^2 + sum sigma^2 stays the number of dimensions, however far the mean goes.
  @Test(arguments: [false, true]) func keepsTheLengthOfNoise(learnsStd: Bool) throws {
    let find = try Self.find {
      $0.iterations = 30
      $0.keepsLength = true
      $0.learnsStd = learnsStd
      $0.stepSize = 0.1
      $0.priorPenaltyWeight = 0
    }
    try Self.run(find, iterations: 30)
    let prior = find.prior
    #expect(prior.shift > 1)
    #expect(prior.standardDeviation.mean().scalar < 0.99)
    let length = prior.mean.squaredNorm() + prior.standardDeviation.squaredNorm()
    #expect(abs(length - 24) <= 1e-3, "\(length)")
  }

  /// The estimated gradient of the expected reward, against its finite difference.
  @Test func gradientIsThatOfTheExpectedReward() throws {
    var configuration = FINDConfiguration()
    configuration.priorPenaltyWeight = 0
    configuration.reduction = .sum
    let update = PriorUpdate(process: oneStep, shape: Self.shape, configuration: configuration)
    var random = RandomStream(seed: 21)
    let prior = NoisePrior(
      mean: random.normal(Self.shape) * 0.3,
      standardDeviation: random.uniform(Self.shape, in: 0.7..<1.3))
    let weights = random.normal(Self.shape)
    // r = <w, z> + <w, z^2>: d E[r] / d mu = w (1 + 2 mu), d E[r] / d sigma = 2 w sigma.
    let half = random.normal([40_000] + Self.shape)
    let noise = prior.noise(from: .concatenated([half, -half], along: 0))
    let rewards = ((noise + noise.squared()) * weights).flattened(from: 1).sum(along: 1).elements
    let parameters = LearnedPrior(shape: Self.shape, learnsStd: true)
    parameters.prior = prior
    let entry = NoiseHistory.Entry(
      noise: noise, logDensities: LogProbabilityReduction.sum(prior.logDensity(of: noise)),
      rewards: rewards, advantages: RewardCalibration.leaveOneOut(rewards))
    let (_, gradients) = valueAndGradients { update.loss(parameters.tracked, [entry]).loss }
    let mean = try #require(gradients[parameters.mean.leaf]).elements
    let std = try #require(gradients[parameters.std.leaf]).elements
    func expectation(_ mean: [Float], _ std: [Float]) -> Double {
      weights.elements.indices.reduce(0) {
        let (m, s) = (Double(mean[$1]), Double(std[$1]))
        return $0 + Double(weights.elements[$1]) * (m + m * m + s * s)
      }
    }
    let (m, s) = (prior.mean.elements, prior.standardDeviation.elements)
    for index in m.indices {
      var (high, low) = (m, m)
      high[index] += 1e-2
      low[index] -= 1e-2
      let expected = (expectation(high, s) - expectation(low, s)) / 2e-2
      #expect(abs(Double(-mean[index]) - expected) <= 0.15, "mean \(index)")
      (high, low) = (s, s)
      high[index] += 1e-2
      low[index] -= 1e-2
      let expectedStd = (expectation(m, high) - expectation(m, low)) / 2e-2
      #expect(abs(Double(-std[index]) - expectedStd) <= 0.15, "standard deviation \(index)")
    }
  }

  @Test(arguments: FINDConfiguration.Baseline.allCases, FINDConfiguration.RewardScaling.allCases)
  func rewardRises(
    _ baseline: FINDConfiguration.Baseline, _ scaling: FINDConfiguration.RewardScaling
  ) throws {
    let find = try Self.find {
      $0.iterations = 40
      $0.baseline = baseline
      $0.rewardScaling = scaling
      $0.stepSize = 0.1
    }
    let reports = try Self.run(find, iterations: 40)
    let late = reports.suffix(5).reduce(0) { $0 + $1.reward } / 5
    #expect(late > 1)
  }

  @Test(arguments: LogProbabilityReduction.allCases)
  func everyReductionFindsTheDirection(_ reduction: LogProbabilityReduction) throws {
    let find = try Self.find {
      $0.iterations = 30
      $0.reduction = reduction
      $0.stepSize = 0.1
    }
    try Self.run(find, iterations: 30)
    let mean = find.prior.mean
    let cosine = Double((mean * Self.direction).sum().scalar) / find.prior.shift
    #expect(cosine > 0.6)
  }

  @Test func clippingHoldsOldNoise() throws {
    func shift(_ clip: Double) throws -> Double {
      let find = try Self.find {
        $0.iterations = 4
        $0.epochs = 20
        $0.clipRange = clip
        $0.priorPenaltyWeight = 0
      }
      try Self.run(find, iterations: 4)
      return find.prior.shift
    }
    let (held, free) = (try shift(0.05), try shift(10))
    #expect(held < 0.7 * free)
  }

  @Test func lowFrequenciesOnly() throws {
    let find = try Self.find {
      $0.frequencyFraction = 0.1  // the mean of each channel alone
      $0.iterations = 3
    }
    try Self.run(find, iterations: 3)
    let mean = find.prior.mean.reshaped(to: [12, 2])
    #expect(find.prior.shift > 0)
    for channel in 0..<2 {
      let column = mean.slice(channel..<channel + 1, along: 1).elements
      let spread = (column.max() ?? .nan) - (column.min() ?? .nan)
      #expect(spread <= 1e-5)
    }
  }

  @Test func noiseIsPairedAboutTheMean() throws {
    let find = try Self.find()
    try Self.run(find, iterations: 2)
    let noise = find.draw()
    let sum = noise.slice(0..<8) + noise.slice(8..<16) - 2 * find.prior.mean
    let difference = sum.elements.map(abs).max() ?? .nan
    #expect(difference <= 1e-5)
  }

  @Test func resumedRunIsTheSame() throws {
    for change: (inout FINDConfiguration) -> Void in [
      { _ in }, { $0.baseline = .learned },
      {
        $0 = .released
        $0.releasedBufferCount = 3
      },
    ] {
      let whole = try Self.find(change)
      try Self.run(whole, iterations: 7)
      let first = try Self.find(change)
      try Self.run(first, iterations: 4)
      let second = try Self.find(change)
      try second.restore(first.trainingState)
      let reports = try Self.run(second, iterations: 3)
      #expect(second.prior.mean.elements == whole.prior.mean.elements)
      #expect(
        second.prior.standardDeviation.elements == whole.prior.standardDeviation.elements)
      #expect(second.iteration == 7)
      #expect(second.imageCount == whole.imageCount)
      #expect(reports.count == 3)
    }
  }

  @Test func missingRewardsAreLeftOut() throws {
    let find = try Self.find { $0.isAntithetic = false }
    let noise = find.draw()
    var rewards: [Float?] = Self.linearRewards(noise)
    rewards[3] = nil
    rewards[5] = .nan
    let report = try find.learn(from: noise, rewards: rewards)
    #expect(report.droppedCount == 2)
    #expect(find.prior.shift.isFinite)

    let kept = (0..<16).filter { $0 != 3 && $0 != 5 }
    let other = try Self.find { $0.isAntithetic = false }
    _ = try other.learn(from: noise.gather(kept), rewards: kept.map { rewards[$0] })
    #expect(other.prior.mean.elements == find.prior.mean.elements)

    var few = [Float?](repeating: nil, count: 16)
    for index in 0..<7 { few[index] = 1 }
    #expect(throws: FINDError.rewards(missing: 9, of: 16)) {
      try find.learn(from: find.draw(), rewards: few)
    }
  }

  @Test func equalRewardsTeachNothing() throws {
    let find = try Self.find()
    let report = try find.learn(from: find.draw(), rewards: [Float?](repeating: 0.3, count: 16))
    #expect(find.prior.shift == 0)
    #expect(report.reward.isFinite)
  }

  @Test func settlesWhenNothingImproves() throws {
    let find = try Self.find {
      $0.patience = 3
      $0.iterations = 100
    }
    var random = RandomStream(seed: 9)
    var count = 0
    while !find.isFinished {
      _ = try find.learn(from: find.draw(), rewards: random.normal([16]).elements.map { $0 })
      count += 1
    }
    #expect(find.hasSettled)
    #expect((6..<60).contains(count))
  }

  /// Whichever prompts have settled, no image of a run has the seed of another.
  @Test func noTwoImagesHaveOneSeed() throws {
    var configuration = FINDConfiguration()
    configuration.imageCount = 4
    let finds = try (0..<3).map {
      try PriorLearner(
        process: oneStep, shape: Self.shape, promptEmbedding: .zeros([4]),
        configuration: configuration, seed: 100,
        promptIndex: $0)
    }
    var seeds: [UInt64] = []
    // The second prompt settles after two iterations, the first after four.
    for iteration in 0..<6 {
      let active = finds.indices.filter { iteration < [4, 2, 6][$0] }
      for index in active {
        seeds += finds[index].imageSeeds(promptCount: finds.count)
        try Self.run(finds[index], iterations: 1)
      }
    }
    #expect(seeds.count == 12 * 4 && Set(seeds).count == seeds.count)
    // As long as all learn, they are consecutive.
    #expect(Array(seeds[..<24]) == (0..<24).map { 100 + $0 })
    // One prompt alone has the seeds that follow the run's.
    let alone = try Self.find(seed: 7)
    try Self.run(alone, iterations: 2)
    #expect(alone.imageSeeds(promptCount: 1) == (0..<16).map { 7 + 32 + $0 })
  }

  @Test func badSettingsAreNamed() {
    func key(_ change: (inout FINDConfiguration) -> Void) -> String? {
      do {
        _ = try Self.find(change)
        return nil
      } catch { return (error as? ConfigurationError)?.key }
    }
    #expect(key { $0.imageCount = 15 } == "imageCount")
    #expect(key { $0.frequencyFraction = 2 } == "frequencyFraction")
    #expect(key { $0.frequencyFraction = 0 } == "frequencyFraction")
    #expect(key { $0.timeFrequencyFraction = 0.5 } == "timeFrequencyFraction")
    #expect(key { $0.patience = .max } == "patience")
    #expect(key { $0.maxDroppedFraction = .nan } == "maxDroppedFraction")
    #expect(key { $0.stepSize = .nan } == "stepSize")
    #expect(key { $0.reproduction = .released } == "imageCount")
    #expect(key { $0.iterations = 0 } == "iterations")
  }
}

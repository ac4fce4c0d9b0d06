import Environments
import Diffusion
import NeuralNetworks
import ReinforcementLearning
import Tensors
import Testing

@testable import DiffusionPolicies

/// What each setting of DPPO's rollout and update does.
struct UpdateSettingTests {
  /// Initial noise of all decisions of two iterations: 2 x 3 x 6 chunks, none of them twice.
  @Test func noiseIsNewAtEveryDecision() throws {
    let checkpoint = try TargetTraining.start()
    let collector = try RolloutCollector(
      TargetTraining.environment(checkpoint.configuration), count: 6, seed: 3)
    let policy = try checkpoint.makePolicy(fineTuning: 5)
    var seen: Set<[Float]> = []
    for iteration in 0..<2 {
      var metrics = Metrics()
      let states = try collector.collect(
        policy, rolloutSteps: 3, iteration: iteration, &metrics
      ).states
      for row in 0..<18 { seen.insert(states[row][0].elements) }
    }
    #expect(seen.count == 36)
  }

  /// 6 environments of 10 decisions of 2 steps; 180 pairs in minibatches of 50, two passes.
  @Test func stepsAndMinibatchesAreCounted() throws {
    let training = try TargetTraining.training { _ in }
    _ = try training.iterate()
    #expect(training.environmentSteps == 120)
    let second = try training.iterate()
    #expect(training.environmentSteps == 240)
    #expect(second["minibatches"] == 6)
  }

  /// Two decisions of one environment that earn 1 and 2, valued by a critic that gives 0.
  private func estimates(
    _ change: (inout DPPOConfiguration) -> Void, scaler: inout RewardScaler
  ) throws -> (AdvantageEstimates, Rollout) {
    var configuration = DPPOConfiguration()
    configuration.critic.hiddenSizes = [8, 8, 8]
    configuration.gamma = 0.5
    configuration.gaeLambda = 0.5
    change(&configuration)
    var random = RandomStream(seed: 1)
    let critic = try TargetTraining.policy().makeCritic(
      configuration.critic, ObservationLayout(stepCount: 2, stateSize: 1), random: &random)
    for (_, parameter) in critic.parameters { parameter.value = .zeros(parameter.value.shape) }
    let rollout = Rollout(
      observations: Observations(.zeros([2, 2, 1])), states: .zeros([2, 4, 4, 1]),
      logProbabilities: Array(repeating: 0, count: 6), rewards: [1, 2],
      finalObservations: Observations(.zeros([1, 2, 1])), finalRows: [nil, 0],
      isTerminated: [false, true],
      isFinished: [false, true], isFirst: [true, true], environmentCount: 1)
    let estimates = AdvantageEstimates(
      rollout, critic: critic, configuration: configuration, scaler: &scaler)
    return (estimates, rollout)
  }

  /// 3 x 2, and 3 x 1 + 0.5 x 0.5 x 6.
  @Test func rewardFactorScalesRewards() throws {
    var scaler = RewardScaler(environmentCount: 1)
    let (found, _) = try estimates(
      {
        $0.scalesRewards = false
        $0.rewardFactor = 3
      }, scaler: &scaler)
    #expect(found.advantages == [4.5, 6] && found.returns == [4.5, 6])
    #expect(scaler == RewardScaler(environmentCount: 1))
  }

  /// Sums of rewards end with their episodes.
  @Test func rewardScalingKnowsEpisodes() throws {
    var scaler = RewardScaler(environmentCount: 1)
    let (found, rollout) = try estimates({ _ in }, scaler: &scaler)
    var expected = RewardScaler(environmentCount: 1)
    let scaled = expected(rollout.rewards, isFirst: [true, true])
    #expect(scaler == expected)
    #expect(found.advantages == [scaled[0] + 0.25 * scaled[1], scaled[1]])
  }

  /// Both from their first step on, the policy's after the critic's warm-up.
  @Test func learningRatesFollowTheirSchedules() throws {
    let training = try TargetTraining.training {
      $0.epochs = 1
      $0.criticWarmUpCount = 2
      $0.policyLearningRate = CyclicLearningRate(maximum: 3e-4, minimum: 1e-4)
      $0.policyLearningRate.warmUp = 2
      $0.criticLearningRate = CyclicLearningRate(maximum: 3e-3, minimum: 1e-3)
      $0.criticLearningRate.warmUp = 4
    }
    let reports = try (0..<5).map { _ in try training.iterate() }
    let policy = [1e-4, 1e-4, 1e-4, 2e-4, 3e-4]
    let critic = [1e-3, 1.5e-3, 2e-3, 2.5e-3, 3e-3]
    for (index, report) in reports.enumerated() {
      #expect(abs(report["policyLearningRate"]! - policy[index]) <= 1e-12, "iteration \(index)")
      #expect(abs(report["criticLearningRate"]! - critic[index]) <= 1e-12, "iteration \(index)")
    }
  }

  private static func implicitPolicy() throws -> PolicyCheckpoint {
    try TargetTraining.start {
      $0.denoising.stepCount = 20
      $0.denoising.sampler = .ddim
      $0.denoising.ddimStepCount = 4
    }
  }

  /// The first step of Adam is as long as the learning rate; an interval of more than the 6
  /// minibatches of an iteration makes no other.
  @Test func etaIsUpdatedAtItsInterval() throws {
    let training = try TargetTraining.training(Self.implicitPolicy()) {
      $0.exploration.learnsEta = true
      $0.exploration.eta = 0.5
      $0.etaLearningRate = CyclicLearningRate(maximum: 0.01, minimum: 0.01)
      $0.etaUpdateInterval = 7
    }
    let before = try #require(training.policy.weights["eta.eta_logit"]).elements
    _ = try training.iterate()
    let after = try #require(training.policy.weights["eta.eta_logit"]).elements
    #expect(abs(abs(after[0] - before[0]) - 0.01) <= 1e-4, "\(before) \(after)")
  }

  /// After every second iteration K' falls by one; what has been learned until then runs the steps
  /// that are no longer fine-tuned.
  @Test func stepsAreAnnealedAtTheirInterval() throws {
    let training = try TargetTraining.training { $0.annealingInterval = 2 }
    var counts: [Double?] = []
    for _ in 0..<5 {
      counts.append(try training.iterate()["fineTunedSteps"])
      let weights = training.policy.weights
      let (frozen, learned) = (weights.under("actor"), weights.under("actor_ft"))
      let isAnnealed = counts.count.isMultiple(of: 2)
      for (name, value) in learned where isAnnealed {
        #expect(frozen[name]?.elements == value.elements, "\(name)")
      }
    }
    #expect(counts == [3, 3, 2, 2, 1])
  }

  /// The maximum change of a weight of the fine-tuned network in one iteration.
  private func change(_ setting: (inout DPPOConfiguration) -> Void) throws -> Float {
    let training = try TargetTraining.training(nil, setting)
    let before = training.policy.weights.under("actor_ft")
    _ = try training.iterate()
    return try training.policy.weights.under("actor_ft").reduce(0) { maximum, weight in
      let old = try #require(before[weight.key]).elements
      return zip(old, weight.value.elements).reduce(maximum) { max($0, abs($1.0 - $1.1)) }
    }
  }

  /// Adam's step does not depend on the gradient's length, until that falls below its epsilon of
  /// 1e-8.
  @Test func gradientsAreScaledToTheirLimit() throws {
    let free = try change { _ in }
    let held = try change { $0.gradientNormLimit = 1e-12 }
    #expect(free > 1e-4 && held < 1e-2 * free, "\(free) and \(held)")
  }

  /// One minibatch of all pairs: the norm of the critic's gradient is in proportion.
  @Test func valueCoefficientScalesTheGradient() throws {
    func norm(_ coefficient: Double) throws -> Double {
      try TargetTraining.training {
        $0.epochs = 1
        $0.batchSize = 180
        $0.valueCoefficient = coefficient
      }.iterate()["criticGradientNorm"]!
    }
    let (whole, half) = try (norm(1), norm(0.5))
    #expect(abs(half / whole - 0.5) <= 1e-5)
  }

  /// After the first minibatch values have moved: a limit counts from the second one on.
  @Test func valueClippingReachesTheLoss() throws {
    func loss(_ range: Double) throws -> Double {
      try TargetTraining.training { $0.valueClipRange = range }.iterate()["valueLoss"]!
    }
    #expect(try loss(1e-6) > loss(0))
  }

  /// The sign of each term: what has a coefficient rises.
  @Test func entropyIsKeptHigh() throws {
    func eta(_ coefficient: Double) throws -> Float {
      let training = try TargetTraining.training(Self.implicitPolicy()) {
        $0.exploration.learnsEta = true
        $0.exploration.eta = 0.5
        $0.entropyCoefficient = coefficient
        $0.etaLearningRate = CyclicLearningRate(maximum: 0.01, minimum: 0.01)
      }
      _ = try training.iterate()
      return try #require(training.policy.weights["eta.eta_logit"]).scalar
    }
    #expect(try eta(1000) > eta(0))
    // Six steps of 0.01 up.
    let start = LearnedEta(initial: 0.5).logit.value.scalar
    #expect(abs(try eta(1000) - start - 0.06) <= 1e-3)
  }

  /// A policy that is held to its pretraining stays more likely to do what that did.
  @Test func cloningHoldsThePolicy() throws {
    func loss(_ coefficient: Double) throws -> Double {
      let training = try TargetTraining.training {
        $0.bcLossCoefficient = coefficient
        $0.clipRange = 0.2
        $0.clipRangeBase = 0.2
        $0.policyLearningRate = CyclicLearningRate(maximum: 1e-2, minimum: 1e-2)
      }
      _ = try training.iterate()
      return try training.iterate()["bcLoss"]!
    }
    #expect(try loss(100) < loss(1e-6))
  }

  /// Policies of all kinds, with what only they have to remember.
  @Test func otherPoliciesAreResumed() throws {
    func expectSame(
      _ checkpoint: PolicyCheckpoint, _ change: (inout DPPOConfiguration) -> Void
    ) throws {
      let whole = try TargetTraining.training(checkpoint, change)
      let reports = try (0..<4).map { _ in try whole.iterate() }
      let first = try TargetTraining.training(checkpoint, change)
      for _ in 0..<2 { _ = try first.iterate() }
      let second = try TargetTraining.training(checkpoint, change)
      try second.restore(first.trainingState())
      let later = try (0..<2).map { _ in try second.iterate() }
      #expect(later.map { $0["bcLoss"] } == reports.suffix(2).map { $0["bcLoss"] })
      #expect(later.map { $0["valueLoss"] } == reports.suffix(2).map { $0["valueLoss"] })
      let (expected, found) = (whole.checkpoint().weights, second.checkpoint().weights)
      #expect(expected.mapValues(\.elements) == found.mapValues(\.elements))
    }
    for kind in [NetworkConfiguration.Kind.gaussian, .gmm] {
      try expectSame(TargetTraining.start { $0.network.kind = kind }) {
        $0.bcLossCoefficient = 0.1
      }
    }
    try expectSame(Self.implicitPolicy()) {
      $0.exploration.learnsEta = true
      $0.etaLearningRate = CyclicLearningRate(maximum: 0.01, minimum: 0.01)
    }
  }

  /// Three decisions of two steps, twice: without a new start, the episodes of 12 steps end with
  /// the second iteration.
  @Test func episodesStartAnewWhereRequested() throws {
    func wholeEpisodes(_ resets: Bool) throws -> Int {
      let training = try TargetTraining.training {
        $0.rolloutSteps = 3
        $0.resetsEachIteration = resets
      }
      for _ in 0..<2 { _ = try training.iterate() }
      return training.finishedEpisodes.count { $0.stepCount == 12 }
    }
    #expect(try wholeEpisodes(false) > 0)
    #expect(try wholeEpisodes(true) == 0)
  }

  /// Nothing learns, and each pass leaves 30 of 180 pairs to the next: the mean loss of two passes
  /// is that of one where they have the same minibatches.
  @Test func everyPassHasOtherMinibatches() throws {
    func loss(_ epochs: Int) throws -> Double {
      try TargetTraining.training {
        $0.epochs = epochs
        $0.policyLearningRate = CyclicLearningRate(maximum: 0, minimum: 0)
        $0.criticLearningRate = CyclicLearningRate(maximum: 0, minimum: 0)
      }.iterate()["valueLoss"]!
    }
    let (one, two) = try (loss(1), loss(2))
    #expect(abs(two / one - 1) > 1e-4, "\(one) and \(two)")
  }

  /// Rewards count for nothing, so that the critic's loss says which four of six first
  /// observations a minibatch has.
  @Test func everyIterationHasOtherMinibatches() throws {
    func loss(iteration: Int) throws -> Double {
      let training = try TargetTraining.training {
        $0.rolloutSteps = 1
        $0.fineTunedSteps = 1
        $0.batchSize = 4
        $0.epochs = 1
        $0.scalesRewards = false
        $0.rewardFactor = 0
        $0.gamma = 0
      }
      var state = try training.trainingState()
      state.numbers["iteration"] = iteration
      try training.restore(state)
      return try training.iterate()["valueLoss"]!
    }
    let losses = try (0..<4).map { try loss(iteration: $0) }
    #expect(Set(losses).count > 1, "\(losses)")
  }

  /// One decision and a policy that does not learn: minibatches differ by the frozen policy's noise
  /// alone.
  @Test func everyMinibatchClonesOtherNoise() throws {
    func loss(_ epochs: Int) throws -> Double {
      try TargetTraining.training {
        $0.environments = 1
        $0.rolloutSteps = 1
        $0.batchSize = 3
        $0.epochs = epochs
        $0.bcLossCoefficient = 1
        $0.policyLearningRate = CyclicLearningRate(maximum: 0, minimum: 0)
      }.iterate()["bcLoss"]!
    }
    let (one, two) = try (loss(1), loss(2))
    #expect(abs(two - one) > 1e-4, "\(one) and \(two)")
  }
}

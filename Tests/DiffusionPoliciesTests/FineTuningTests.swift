import Configuration
import Environments
import Foundation
import NeuralNetworks
import Tensors
import Testing
import TestSupport

@testable import DiffusionPolicies

/// The loop of DPPO on a task that takes milliseconds.
@Suite(.serialized) struct FineTuningTests {
  /// A policy that has learned nothing yet.
  private func start(
    _ change: (inout PolicyConfiguration) -> Void = { _ in }
  ) throws -> PolicyCheckpoint {
    var policy = PolicyConfiguration()
    policy.environment.name = "target"
    policy.observationSteps = 2
    policy.horizonSteps = 4
    policy.actionSteps = 2
    policy.network.hiddenSizes = [32, 32, 32]
    policy.denoising.stepCount = 5
    change(&policy)
    let normalization = DemonstrationNormalization(
      observations: MinMaxNormalization(minimum: [-2], maximum: [2]),
      actions: MinMaxNormalization(minimum: [-1], maximum: [1]))
    let network = try TargetTraining.network(policy)
    return PolicyCheckpoint(
      configuration: policy, normalization: normalization,
      weights: network.parameters.values.prefixed("network"))
  }

  private func tuning(
    _ change: (inout DPPOConfiguration) -> Void = { _ in }
  ) -> DPPOConfiguration {
    var tuning = DPPOConfiguration()
    tuning.iterations = 4
    tuning.environments = 6
    tuning.rolloutSteps = 10
    tuning.fineTunedSteps = 3
    tuning.epochs = 2
    tuning.batchSize = 50
    tuning.critic.hiddenSizes = [16, 16, 16]
    change(&tuning)
    return tuning
  }

  private func make(
    _ checkpoint: PolicyCheckpoint? = nil, _ tuning: DPPOConfiguration
  ) throws -> any PolicyTrainer {
    try PolicyAlgorithmRegistry.standard.trainer(
      PolicyTrainingStart(
        try checkpoint ?? start(), configuration: tuning, seed: 3,
        registry: TargetEnvironment.registry))
  }

  private func resumed(
    _ checkpoint: PolicyCheckpoint, _ state: TrainingState, _ tuning: DPPOConfiguration
  ) throws -> any PolicyTrainer {
    try PolicyAlgorithmRegistry.standard.trainer(
      PolicyTrainingStart(
        checkpoint, configuration: tuning, seed: 3, registry: TargetEnvironment.registry,
        state: state))
  }

  /// Everything of an iteration that must not depend on the clock, and the episodes that ended in
  /// it.
  private func iterate(_ training: any PolicyTrainer) throws -> [Double] {
    let metrics = try training.iterate()
    return [Double(training.iteration), Double(training.environmentSteps)]
      + metrics.values.sorted { $0.key < $1.key }.map(\.value)
      + training.finishedEpisodes.flatMap {
        [$0.totalReward, $0.bestReward, Double($0.stepCount)]
      }
  }

  private func expectSameWeights(_ one: any PolicyTrainer, _ other: any PolicyTrainer) {
    let (first, second) = (one.checkpoint().weights, other.checkpoint().weights)
    #expect(first.count == second.count && !first.isEmpty)
    for (name, value) in first {
      #expect(value.elements == second[name]?.elements, "\(name)")
    }
  }

  @Test func goesOnExactly() throws {
    let changes: [(inout DPPOConfiguration) -> Void] = [
      { _ in },
      { $0.annealingInterval = 2 },
      { $0.bcLossCoefficient = 0.1 },
    ]
    for change in changes {
      let whole = try make(nil, tuning(change))
      let wholeNumbers = try (0..<4).map { _ in try iterate(whole) }
      let first = try make(nil, tuning(change))
      let firstNumbers = try (0..<2).map { _ in try iterate(first) }
      let state = try first.trainingState()
      let second = try make(nil, tuning(change))
      try second.restore(state)
      // From its own checkpoint alone.
      let third = try resumed(first.checkpoint(), state, tuning(change))
      let secondNumbers = try (0..<2).map { _ in try iterate(second) }
      let thirdNumbers = try (0..<2).map { _ in try iterate(third) }
      #expect(firstNumbers + secondNumbers == wholeNumbers)
      #expect(firstNumbers + thirdNumbers == wholeNumbers)
      expectSameWeights(whole, second)
      expectSameWeights(whole, third)
      // Steps that have learned are not dropped, and none is said to have.
      for count in [1, 4] {
        let other = tuning { $0.fineTunedSteps = count }
        #expect(throws: ConfigurationError.self) { try resumed(first.checkpoint(), state, other) }
      }
    }
  }

  /// Another fine-tuning goes on with the critic of the first.
  @Test func theCriticIsKept() throws {
    let first = try make(nil, tuning { $0.fineTunedSteps = 5 })
    _ = try first.iterate()
    let checkpoint = first.checkpoint()
    func critic(_ training: any PolicyTrainer) -> [String: [Float]] {
      training.checkpoint().weights.under("critic").mapValues(\.elements)
    }
    #expect(critic(try make(checkpoint, tuning())) == critic(first))
    let larger = try make(checkpoint, tuning { $0.critic.hiddenSizes = [24, 24, 24] })
    #expect(critic(larger) != critic(first))
  }

  /// Who plays a policy with the noise of its training need not know what that was.
  @Test func policiesKeepTheNoiseOfTheirTraining() throws {
    var random = RandomStream(seed: 2)
    let observation = Observations(random.uniform([1, 2, 1]))
    func chunk(minStd: Float) throws -> [Float] {
      let training = try make(
        nil, tuning { $0.exploration.minSamplingStd = minStd })
      let checkpoint = training.checkpoint()
      return try PolicyCheckpoint(
        path: "policy", weights: checkpoint.weights, metadata: checkpoint.metadata()
      ).makePolicy().decide(
        on: observation, mode: .exploring, streams: [RandomStream(seed: 3)]
      ).chunks.elements
    }
    #expect(try chunk(minStd: 0.3) != chunk(minStd: 0.2))
  }

  @Test func doesNotDependOnTheNumberOfThreads() throws {
    let threads = WorkerPool.shared.threadCount
    defer { WorkerPool.shared.threadCount = threads }
    WorkerPool.shared.threadCount = 1
    let one = try make(nil, tuning())
    let oneNumbers = try (0..<2).map { _ in try iterate(one) }
    WorkerPool.shared.threadCount = 3
    let three = try make(nil, tuning())
    let threeNumbers = try (0..<2).map { _ in try iterate(three) }
    #expect(threeNumbers == oneNumbers)
    expectSameWeights(one, three)
  }

  /// Ranks share environments and minibatches, and give the bits of one process; so they do when
  /// they go on.
  @Test(arguments: [2, 4]) func ranksGiveTheBitsOfOne(_ processCount: Int) throws {
    let policies: [(NetworkConfiguration.Kind, @Sendable (inout DPPOConfiguration) -> Void)] = [
      (.mlp, { $0.bcLossCoefficient = 0.1 }), (.gaussian, { $0.entropyCoefficient = 0.01 }),
      (.gmm, { $0.entropyCoefficient = 0.01 }),
    ]
    for (kind, change) in policies {
      let checkpoint = try start { $0.network.kind = kind }
      let configuration = tuning(change)
      @Sendable func run(_ communicator: any Communicator) throws -> Outcome {
        func trainer(_ state: TrainingState?) throws -> any PolicyTrainer {
          try PolicyAlgorithmRegistry.standard.trainer(
            PolicyTrainingStart(
              checkpoint, configuration: configuration, seed: 3,
              registry: TargetEnvironment.registry, communicator: communicator, state: state))
        }
        let first = try trainer(nil)
        let before = try (0..<2).map { _ in try iterate(first) }
        let second = try trainer(first.trainingState())
        let after = try (0..<2).map { _ in try iterate(second) }
        return Outcome(
          numbers: (before + after).map { $0.map(\.bitPattern) },
          weights: second.checkpoint().weights.mapValues { $0.elements.map(\.bitPattern) })
      }
      let alone = try run(SingleProcess())
      #expect(alone.numbers.count == 4 && alone.weights.count > 8)
      for rank in try ThreadRank.run(processCount: processCount, run) { #expect(rank == alone) }
    }
  }

  /// What was saved by four ranks goes on as one, and as two.
  @Test func anyNumberOfRanksGoesOn() throws {
    let checkpoint = try start { _ in }
    let configuration = tuning { _ in }
    @Sendable func trainer(
      _ communicator: any Communicator, _ state: TrainingState?
    ) throws -> any PolicyTrainer {
      try PolicyAlgorithmRegistry.standard.trainer(
        PolicyTrainingStart(
          checkpoint, configuration: configuration, seed: 3, registry: TargetEnvironment.registry,
          communicator: communicator, state: state))
    }
    let whole = try trainer(SingleProcess(), nil)
    let expected = try (0..<3).map { _ in try iterate(whole) }
    let states = try ThreadRank.run(processCount: 4) { rank in
      let first = try trainer(rank, nil)
      _ = try iterate(first)
      return try first.trainingState()
    }
    let one = try trainer(SingleProcess(), states[3])
    #expect(try (0..<2).map { _ in try iterate(one) } == Array(expected.dropFirst()))
    let two = try ThreadRank.run(processCount: 2) { rank in
      let second = try trainer(rank, states[1])
      return try (0..<2).map { _ in try iterate(second) }
    }
    for numbers in two { #expect(numbers == Array(expected.dropFirst())) }
  }

  /// What a training came to.
  private struct Outcome: Equatable {
    let numbers: [[UInt64]]
    let weights: [String: [UInt32]]
  }

  /// Log-probabilities are kept from sampling: before the first step every ratio is 1, up to the
  /// order in which the first layer sums.
  @Test func theFirstRatiosAreOne() throws {
    let single = tuning {
      $0.epochs = 1
      $0.batchSize = 180
    }
    let metrics = try make(nil, single).iterate()
    #expect(abs(metrics["ratio"]! - 1) < 1e-5 && abs(metrics["approximateKL"]!) < 1e-6)
    #expect(metrics["clipFraction"] == 0)
    #expect(metrics["minibatches"] == 1)
  }

  /// Episodes that start anew with an iteration are not the first ones again.
  @Test func everyIterationSeesOtherStarts() throws {
    let checkpoint = try start()
    let collector = try RolloutCollector(
      PolicyEnvironment(
        checkpoint.configuration, normalization: checkpoint.normalization,
        registry: TargetEnvironment.registry), count: 6, seed: 3)
    let policy = try DiffusionPolicy(
      checkpoint.configuration, layout: ObservationLayout(stepCount: 2, stateSize: 1),
      actionSize: 1, transitionCount: 3,
      random: RandomStream(seed: 5))
    var starts: Set<[Float]> = []
    for iteration in 0..<3 {
      if iteration > 0 { try collector.startNextEpisodes() }
      var metrics = Metrics()
      let rollout = try collector.collect(
        policy, rolloutSteps: 1, iteration: iteration, &metrics)
      #expect(rollout.isFirst.allSatisfy { $0 })
      #expect(starts.insert(rollout.observations.state.elements).inserted)
    }
  }

  /// What is executed does not matter where whole chunks are evaluated, and does where they are
  /// not.
  @Test func wholeChunksAreScoredWhereRequested() throws {
    func logProbabilities(executed: Int, whole: Bool) throws -> [Float] {
      var configuration = try start().configuration
      configuration.actionSteps = executed
      var exploration = DiffusionPolicy.Exploration()
      exploration.usesWholeChunkLogProb = whole
      let policy = try DiffusionPolicy(
        configuration, exploration: exploration,
        layout: ObservationLayout(stepCount: 2, stateSize: 1), actionSize: 1,
        transitionCount: 3, random: RandomStream(seed: 5))
      var random = RandomStream(seed: 6)
      let observations = Observations(random.normal([4, 2, 1]))
      return policy.decide(
        on: observations, mode: .exploring, streams: (0..<4).map { RandomStream(seed: $0) }
      ).logProbabilities.elements
    }
    let whole = try logProbabilities(executed: 2, whole: true)
    #expect(whole.count == 12)
    #expect(try logProbabilities(executed: 4, whole: false) == whole)
    #expect(try logProbabilities(executed: 2, whole: false) != whole)
  }

  @Test func allNumbersOfStepsWork() throws {
    for count in [1, 5] {
      let training = try make(nil, tuning { $0.fineTunedSteps = count })
      let metrics = try training.iterate()
      #expect(metrics["fineTunedSteps"] == Double(count) && metrics["policyGradientNorm"]! > 0)
      #expect(metrics.values.allSatisfy { $0.value.isFinite })
    }
    #expect(throws: ConfigurationError.self) {
      try make(nil, tuning { $0.fineTunedSteps = 6 })
    }
  }

  @Test func implicitModelsWorkWithALearnedEta() throws {
    let checkpoint = try start {
      $0.denoising.stepCount = 20
      $0.denoising.sampler = .ddim
      $0.denoising.ddimStepCount = 4
    }
    let training = try make(
      checkpoint,
      tuning {
        $0.exploration.learnsEta = true
        $0.entropyCoefficient = 0.1
        $0.etaLearningRate = CyclicLearningRate(maximum: 0.01, minimum: 0.01)
      })
    let before = try #require(training.policy.weights["eta.eta_logit"])
    for _ in 0..<2 {
      #expect(try training.iterate().values.allSatisfy { $0.value.isFinite })
    }
    #expect(training.policy.weights["eta.eta_logit"]?.elements != before.elements)
  }

  @Test func stepsAreAnnealed() throws {
    let training = try make(
      nil,
      tuning {
        $0.annealingInterval = 1
        $0.annealingStep = 2
      })
    let counts = try (0..<3).map { _ in try training.iterate()["fineTunedSteps"] }
    #expect(counts == [3, 1, 1])
    // What ran before the reduction runs the first steps after it.
    let name = "mlp_mean.layers.0.weight"
    let frozen = try #require(training.policy.weights.under("actor")[name])
    let original = try #require(try start().weights["network.\(name)"])
    #expect(frozen.elements != original.elements)
  }

  @Test func onlyTheCriticWarmsUp() throws {
    let training = try make(nil, tuning { $0.criticWarmUpCount = 1 })
    let before = training.policy.weights
    let report = try training.iterate()
    #expect(report["valueLoss"]! > 0 && report["minibatches"]! > 0)
    for (name, value) in training.policy.weights {
      #expect(value.elements == before[name]?.elements, "\(name)")
    }
    let later = try training.iterate()
    #expect(later["policyGradientNorm"]! > 0)
  }

  @Test func aLargeDivergenceStopsTheUpdate() throws {
    let training = try make(
      nil,
      tuning {
        $0.targetKL = 1e-9
        $0.epochs = 5
      })
    // The first minibatch has none; the second is the first to pass any limit, and is the last.
    let report = try training.iterate()
    #expect(report["minibatches"] == 2)
  }

  @Test func aNetworkThatBreaksStopsBeforeItsWeights() throws {
    var checkpoint = try start()
    let name = try #require(checkpoint.weights.keys.sorted().first)
    let shape = checkpoint.weights[name]!.shape
    checkpoint.weights[name] = Tensor(repeating: .nan, shape: shape)
    let training = try make(checkpoint, tuning())
    #expect(throws: NonFiniteGradient.self) { try training.iterate() }
  }

  /// An algorithm that is unknown, or that does not fit the policy, is refused with both values.
  @Test func algorithmsAreChosenByName() throws {
    let gaussian = try start { $0.network.kind = .gaussian }
    func trainer(_ name: String?, _ checkpoint: PolicyCheckpoint) throws -> any PolicyTrainer {
      try PolicyAlgorithmRegistry.standard.trainer(
        PolicyTrainingStart(
          checkpoint, configuration: tuning(), seed: 3, registry: TargetEnvironment.registry),
        algorithm: name)
    }
    let diffusion = "dppo or dsrl or idql or dql or qsm or dipo or drwr or dawr"
    #expect(try trainer(nil, start()) is DPPO<DiffusionPolicy>)
    #expect(try trainer("dppo", start()) is DPPO<DiffusionPolicy>)
    #expect(try trainer(nil, gaussian) is GaussianPPO)
    #expect(try trainer("ppo", gaussian) is GaussianPPO)
    let mixture = try start { $0.network.kind = .gmm }
    #expect(try trainer(nil, mixture) is GaussianMixturePPO)
    #expect(try trainer("ppo", mixture) is GaussianMixturePPO)
    #expect(
      throws: ConfigurationError.badValue(
        key: "algorithm", found: "'ppo' for a policy of kind 'mlp'", expected: diffusion)
    ) { try trainer("ppo", start()) }
    #expect(
      throws: ConfigurationError.badValue(
        key: "algorithm", found: "'dppo' for a policy of kind 'gaussian'", expected: "ppo")
    ) { try trainer("dppo", gaussian) }
    #expect(
      throws: ConfigurationError.badValue(
        key: "algorithm", found: "'sac'",
        expected: diffusion.replacing("dppo", with: "dppo or ppo"))
    ) {
      try trainer("sac", start())
    }
  }

  @Test(.enabled(if: isOptimized, "learning takes minutes without optimization"))
  func itLearns() throws {
    for kind in [NetworkConfiguration.Kind.mlp, .gaussian, .gmm] {
      let checkpoint = try start {
        $0.network.kind = kind
        $0.network.isResidual = true
      }
      let training = try make(
        checkpoint,
        tuning {
          $0.environments = 32
          $0.rolloutSteps = 24
          $0.epochs = 5
          $0.batchSize = 500
          $0.clipRange = 0.1
          $0.clipRangeBase = 0.1
          $0.policyLearningRate = CyclicLearningRate(maximum: 1e-3, minimum: 1e-3)
        })
      let first = try #require(try training.iterate()["episodeReturn"])
      var last = first
      for _ in 0..<25 { last = try #require(try training.iterate()["episodeReturn"]) }
      // 12 steps of at most 1 each.
      print("\(kind): mean return \(first) -> \(last)")
      #expect(last > first + 2)
      #expect(last > 8)
    }
  }
}

/// Whether the tests are compiled with optimization.
private var isOptimized: Bool {
  var isDebug = false
  assert(
    {
      isDebug = true
      return true
    }())
  return !isDebug
}

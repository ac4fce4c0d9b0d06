import Configuration
import Environments
import Files
import Foundation
import NeuralNetworks
import ReinforcementLearning
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// The loop of off-policy algorithms on a bandit that takes seconds.
@Suite(.serialized) struct OffPolicyTrainingTests {
  private func numbers(_ training: any PolicyTrainer) throws -> [Double] {
    let metrics = try training.iterate()
    return [Double(training.iteration), Double(training.environmentSteps)]
      + metrics.values.sorted { $0.key < $1.key }.map(\.value)
      + training.finishedEpisodes.map(\.totalReward)
  }

  private func expectSameWeights(_ one: any PolicyTrainer, _ other: any PolicyTrainer) throws {
    let (first, second) = (try one.trainingState(), try other.trainingState())
    #expect(first.tensors.count == second.tensors.count && first.tensors.count > 20)
    #expect(first.numbers == second.numbers)
    for (name, value) in first.tensors {
      #expect(value.elements == second.tensors[name]?.elements, "\(name)")
    }
  }

  private func small(_ start: inout PolicyTrainingStart) {
    start.configuration.environments = 3
    start.configuration.rolloutSteps = 6
    start.offPolicy.warmUpDecisions = 4
    start.offPolicy.updateInterval = 2
    start.offPolicy.updates = 3
    start.offPolicy.batchSize = 16
    start.offPolicy.dsrl.distillations = 2
    // Smaller than what is collected: the ring comes round.
    start.offPolicy.capacity = 27
  }

  static let variants: [@Sendable (inout PolicyTrainingStart) -> Void] = [
    { _ in },
    { $0.offPolicy.dsrl.variant = .sac },
    {
      $0.configuration.resetsEachIteration = true
      $0.offPolicy.chunkDiscount = .perStep
      $0.offPolicy.criticReduction = .minimumOfTwo
      $0.offPolicy.critic.critics = 3
    },
  ]

  /// A training that was stopped goes on with the same bits, the replay buffer included.
  @Test(arguments: variants.indices) func goesOnExactly(_ variant: Int) throws {
    func make(
      _ checkpoint: PolicyCheckpoint, _ state: TrainingState? = nil
    ) throws -> any PolicyTrainer {
      try BanditTraining.trainer(checkpoint, algorithm: "dsrl", state: state) {
        small(&$0)
        Self.variants[variant](&$0)
      }
    }
    let base = BanditTraining.implicitBase
    let whole = try make(base)
    let wholeNumbers = try (0..<4).map { _ in try numbers(whole) }
    let first = try make(base)
    let firstNumbers = try (0..<2).map { _ in try numbers(first) }
    let state = try first.trainingState().throughAFile()
    let second = try make(base)
    try second.restore(state)
    // From its own checkpoint alone, as a resumed run.
    let third = try make(first.checkpoint(), state)
    let secondNumbers = try (0..<2).map { _ in try numbers(second) }
    let thirdNumbers = try (0..<2).map { _ in try numbers(third) }
    #expect(firstNumbers + secondNumbers == wholeNumbers)
    #expect(firstNumbers + thirdNumbers == wholeNumbers)
    try expectSameWeights(whole, second)
    try expectSameWeights(whole, third)
  }

  @Test func doesNotDependOnTheNumberOfThreads() throws {
    let threads = WorkerPool.shared.threadCount
    defer { WorkerPool.shared.threadCount = threads }
    let trainings = try [1, 3].map { count in
      WorkerPool.shared.threadCount = count
      let training = try BanditTraining.trainer(
        BanditTraining.implicitBase, algorithm: "dsrl", small)
      for _ in 0..<2 { _ = try training.iterate() }
      return training
    }
    try expectSameWeights(trainings[0], trainings[1])
  }

  /// The base draws both modes; DSRL has to find the noise of the better one, and of the worse one where
  /// rewards are negated: who climbs in the wrong direction fails.
  @Test(arguments: [DSRLConfiguration.Variant.noiseAliasing, .sac])
  func dsrlPrefersTheBetterMode(_ variant: DSRLConfiguration.Variant) throws {
    let before = try BanditTraining.meanReturn(BanditTraining.implicitBase)
    let (rewarded, punished) = try BanditTraining.learned(
      BanditTraining.implicitBase, algorithm: "dsrl", iterations: 6
    ) { $0.offPolicy.dsrl.variant = variant }
    print("\(variant): mean return \(before) -> \(rewarded), by negated rewards \(punished)")
    #expect(before > 0.55 && before < 0.75)
    #expect(rewarded > 0.8)
    #expect(punished < 0.5)
  }

  /// What warms up is the base as it is, and nothing is learned of it.
  @Test func theBaseWarmsUp() throws {
    let training = try BanditTraining.trainer(
      BanditTraining.implicitBase, algorithm: "dsrl"
    ) {
      small(&$0)
      $0.offPolicy.warmUpDecisions = 6
      $0.offPolicy.updateInterval = 5
    }
    func weights() -> [String: [Float]] { training.policy.parameters.values.mapValues(\.elements) }
    let before = weights()
    let metrics = try training.iterate()
    #expect(metrics["updates"] == 0)
    #expect(metrics["replayTransitions"] == 18)
    let isAsBefore = weights() == before
    #expect(isAsBefore)
    #expect(try training.iterate()["updates"] == 3)
    let hasLearned = weights() != before
    #expect(hasLearned)
    #expect(training.environmentSteps == 2 * 18 * 2)
  }

  /// The file of the result holds no weight of the base, which it names; the base may move beside it.
  @Test func aSmallFileNamesItsBase() throws {
    let folder = try TemporaryFolder()
    let base = folder.file("base.safetensors")
    try BanditTraining.implicitBase.write(to: base)
    let training = try BanditTraining.trainer(
      PolicyCheckpoint(path: base), algorithm: "dsrl", base: BasePolicyFile(contentsOf: base), small
    )
    _ = try training.iterate()
    let result = folder.file("run.safetensors")
    try training.checkpoint().write(to: result)
    let names = try SafetensorsFile(path: result).names
    #expect(!names.isEmpty && !names.contains { $0.hasPrefix("network.") })
    let observations = Observations(.zeros([4, 1, 1]))
    func chunks(_ checkpoint: PolicyCheckpoint, bestOf: Int? = nil) throws -> [Float] {
      try checkpoint.makeActingPolicy(bestOf: bestOf).decide(
        on: observations, mode: .evaluating, streams: (0..<4).map { RandomStream(seed: $0) }
      ).chunks.elements
    }
    let expected = try chunks(training.checkpoint())
    #expect(try chunks(PolicyCheckpoint(path: result)) == expected)
    // The best of several draws noise, and critics choose.
    #expect(try chunks(PolicyCheckpoint(path: result), bestOf: 4) != expected)
    // Moved beside the result.
    try FileManager.default.createDirectory(
      atPath: folder.file("other"), withIntermediateDirectories: false)
    let moved = folder.file("other/run.safetensors")
    try FileManager.default.moveItem(atPath: result, toPath: moved)
    try FileManager.default.moveItem(atPath: base, toPath: folder.file("other/base.safetensors"))
    #expect(try chunks(PolicyCheckpoint(path: moved)) == expected)
    // Another one in its place, and then none.
    var changed = BanditTraining.implicitBase
    changed.origin["changed"] = "yes"
    try changed.write(to: folder.file("other/base.safetensors"))
    let other = #expect(throws: PolicyError.self) { try PolicyCheckpoint(path: moved) }
    #expect(other?.description.contains("steers another policy than") == true)
    try FileManager.default.removeItem(atPath: folder.file("other/base.safetensors"))
    let missing = #expect(throws: PolicyError.self) { try PolicyCheckpoint(path: moved) }
    #expect(missing == .missingBase(path: moved, base: base))
  }

  /// What would forget the noise, or cannot use it, says so.
  @Test func aPolicyOfNoiseIsNotTakenForItsBase() throws {
    let training = try BanditTraining.trainer(
      BanditTraining.implicitBase, algorithm: "dsrl", small)
    let checkpoint = training.checkpoint()
    #expect(throws: PolicyError.noisePolicy(action: "exported")) { try checkpoint.makePolicy() }
    #expect(throws: ConfigurationError.self) {
      try BanditTraining.trainer(checkpoint, algorithm: "dppo")
    }
    // DSRL goes on with it, by the same actor.
    let next = try BanditTraining.trainer(checkpoint, algorithm: "dsrl", small)
    #expect(
      next.policy.parameters.values.mapValues(\.elements)
        == training.policy.parameters.values.mapValues(\.elements))
    #expect(throws: ConfigurationError.self) {
      try BanditTraining.trainer(checkpoint, algorithm: "dsrl") {
        small(&$0)
        $0.offPolicy.dsrl.noise.actor.hiddenSizes = [16]
      }
    }
  }

  @Test func noiseHasToDecideChunks() throws {
    let error = #expect(throws: ConfigurationError.self) {
      try BanditTraining.trainer(BanditTraining.base, algorithm: "dsrl")
    }
    #expect(error?.description.contains("policy.sampler=ddim") == true)
    var noisy = BanditTraining.implicitBase
    noisy.configuration.denoising.ddimEta = 0.5
    #expect(throws: ConfigurationError.self) {
      try BanditTraining.trainer(noisy, algorithm: "dsrl")
    }
  }

  /// Demonstrations of a policy are what it does when it is evaluated in the same environment.
  @Test func aPolicyOfChunksPlaysItself() throws {
    let training = try TargetTraining.start {
      $0.denoising.sampler = .ddim
      $0.denoising.ddimStepCount = 3
    }
    let player = try ChunkPolicyPlayer(training)
    let environment = try TargetTraining.environment(training.configuration)
    let policy = try training.makeActingPolicy()
    let inner = try training.configuration.environment.make(in: BanditEnvironment.registry)
    let collector = DemonstrationCollector(environments: [inner], seed: 7) {
      try player.player(in: $0, seed: $1)
    }
    var collected = CollectedDemonstrations()
    try collector.collect(into: &collected, episodes: 1)
    let states = try #require(collected.demonstrations).states
    // The same by chunks: an episode from the same start, with the same noise.
    let wrapped = try environment.make()
    try wrapped.reset(seed: 7)
    var expected: [Float] = []
    for decision in 0..<3 {
      let observations = try wrapped.observations(ofSteps: 2)
      let latest = observations.state.elements[1]
      expected.append(latest)
      let chunk = policy.decide(
        on: observations, mode: .evaluating,
        streams: [PolicyEvaluation.noise(ofDecision: decision, episode: 0, seed: 7)]
      ).chunks.slice(0..<2, along: 1)
      _ = try chunk.withUnsafeElements { try wrapped.step($0) }
    }
    let normalized = TargetTraining.normalization.observations.normalized(Array(states[..<6]))
    #expect([normalized[0], normalized[2], normalized[4]] == expected)
  }

  /// The bundled policies are steered in their own environments; Push-T's sees two observations and
  /// executes half of what it predicts.
  @Test(arguments: ["hopper", "push-t"]) func bundledPoliciesAreSteered(_ name: String) throws {
    var checkpoint = try PolicyCheckpoint(
      path: Repository.path("checkpoints/\(name)-pretrained.safetensors"))
    checkpoint.configuration.denoising.sampler = .ddim
    let training = try BanditTraining.trainer(checkpoint, algorithm: "dsrl") {
      small(&$0)
      $0.registry = .standard
    }
    let metrics = try training.iterate()
    let areFinite = metrics.values.values.allSatisfy { $0.isFinite }
    #expect(areFinite)
    #expect(metrics["updates"] == 3)
    let chunk = training.checkpoint().configuration.actionSteps
    #expect(training.environmentSteps == 18 * chunk)
  }

  /// Rewards within a chunk are discounted where a gamma is given, and executed actions are counted.
  @Test func chunksDiscountTheirRewards() throws {
    let chunks = ActionChunks(BanditEnvironment(isSlope: false), count: 4, gamma: 0.5)
    try chunks.reset(seed: 1)
    let outcome = try chunks.step([0.6, 0.6, 0.6, 0.6])
    #expect(abs(outcome.reward - 0.75) < 1e-6 && outcome.isTerminated)
    #expect(chunks.executedSteps == 2)
  }

  /// Who goes on without Q does not keep one that is of another policy.
  @Test func aQFunctionIsNotLeftBehind() throws {
    var checkpoint = BanditTraining.base
    let training = try BanditTraining.trainer(checkpoint, algorithm: "idql", small)
    checkpoint = training.checkpoint()
    #expect(checkpoint.qFunction != nil && checkpoint.bestOf == 20)
    for algorithm in ["dppo", "drwr", "dawr"] {
      let next = try BanditTraining.trainer(checkpoint, algorithm: algorithm, small).checkpoint()
      #expect(next.qFunction == nil && next.bestOf == nil, "\(algorithm)")
      #expect(!next.weights.keys.contains { $0.hasPrefix("q.") }, "\(algorithm)")
      #expect(throws: Never.self) { try next.makeActingPolicy() }
    }
    // Another that learns Q continues with it.
    let next = try BanditTraining.trainer(checkpoint, algorithm: "dql", small).checkpoint()
    let name = "q.members.0.moduleList.0.linear_1.weight"
    #expect(next.weights[name]?.elements == checkpoint.weights[name]?.elements)
  }

  @Test func theBestOfSeveralNeedsAQFunction() throws {
    #expect(throws: PolicyError.noCritic) {
      try BanditTraining.base.makeActingPolicy(bestOf: 2)
    }
    #expect(throws: Never.self) { try BanditTraining.base.makeActingPolicy(bestOf: 1) }
  }
}

extension TrainingState {
  /// The same with tensors that a file held, of which some have no rows.
  func throughAFile() throws -> TrainingState {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let path = folder.file("state.safetensors")
    try SafetensorsFile.write(tensors.mapValues { StoredTensor($0) }, to: path)
    let file = try SafetensorsFile(path: path)
    var state = self
    state.tensors = [:]
    for name in file.names { state.tensors[name] = try file.tensor(named: name) }
    return state
  }
}

/// Demonstrations in the replay buffer.
@Suite struct ReplayDemonstrationTests {
  /// Two episodes of one number each: one that ends by itself after 5 steps, and one of 4 that a time-out
  /// ends.
  private func demonstrations(rewards: Bool = true) -> Demonstrations {
    var demonstrations = Demonstrations(stateSize: 1, actionSize: 1)
    demonstrations.states = [0, 0.1, 0.2, 0.3, 0.4, -0.1, -0.2, -0.3, -0.4]
    demonstrations.actions = [1, 2, 3, 4, 5, 6, 7, 8, 9].map { $0 / 10 }
    demonstrations.rewards = rewards ? [1, 2, 4, 8, 16, 1, 1, 1, 1] : []
    demonstrations.terminals = [false, false, false, false, true, false, false, false, false]
    demonstrations.lengths = [5, 4]
    return demonstrations
  }

  private func buffer(_ demonstrations: Demonstrations, gamma: Float = 1) throws -> ReplayBuffer {
    try ReplayBuffer(
      demonstrations, for: BanditTraining.base, chunkGamma: gamma, rewardFactor: 2
    ) { $0.flattened(from: 1) }
  }

  private func expectClose(_ found: Tensor, _ expected: [Float]) {
    #expect(found.count == expected.count)
    for (found, expected) in zip(found.elements, expected) { #expect(abs(found - expected) < 1e-5) }
  }

  /// Chunks of two actions from every step on; the last one before a time-out is left out.
  @Test func everyStepBeginsAChunk() throws {
    let buffer = try buffer(demonstrations())
    let batch = buffer.batch(Array(0..<buffer.slotCount), ReplayReturns(gamma: 0.5))
    // From steps 0, 2, 4 and 1, 3 of the first episode, and 0 and 1 of the second.
    expectClose(batch.observations, [0, 0.2, 0.4, 0.1, 0.3, -0.1, -0.2])
    expectClose(batch.rewards, [6, 24, 32, 12, 48, 4, 4])
    expectClose(batch.discounts, [0.5, 0.5, 0, 0.5, 0, 0.5, 0.5])
    expectClose(batch.nextObservations, [0.2, 0.4, 0.4, 0.3, 0.3, -0.3, -0.4])
    expectClose(
      batch.actions, [0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.7, 0.8])
    // Returns over two decisions stay in their episode.
    let longer = buffer.batch([0, 1, 3, 5], ReplayReturns(decisions: 2, gamma: 0.5))
    expectClose(longer.rewards, [6 + 12, 24 + 16, 12 + 24, 4])
    expectClose(longer.discounts, [0.25, 0, 0, 0.5])
  }

  @Test func rewardsWithinAChunkCanBeDiscounted() throws {
    let buffer = try buffer(demonstrations(), gamma: 0.5)
    expectClose(buffer.batch([0], ReplayReturns(gamma: 0.5)).rewards, [2 * (1 + 0.5 * 2)])
  }

  @Test func demonstrationsNeedRewards() {
    #expect(throws: ConfigurationError.self) { try buffer(demonstrations(rewards: false)) }
  }

  /// Half of a batch, as RLPD has it.
  @Test func batchesAreHalfDemonstrations() throws {
    let demonstrated = try buffer(demonstrations())
    var online = ReplayBuffer(
      observationSize: 1, actionSize: 2, environmentCount: 1, capacity: 10)
    online.append(
      ReplayStep(
        observations: [9], actions: [9, 9], rewards: [0], stepCounts: [2], isTerminated: [true],
        isFinished: [true], isLost: [false], reached: [9]))
    for (fraction, expected) in [(0.5, 10), (0.25, 15), (0.0, 20), (1.0, 0)] {
      let memory = ReplayMemory(
        online: online, demonstrations: demonstrated, demonstrationFraction: fraction,
        returns: ReplayReturns(gamma: 0.9))
      var random = RandomStream(seed: 1)
      let batch = memory.batch(20, random: &random)
      #expect(batch.count == 20)
      #expect(batch.observations.elements.count { $0 == 9 } == expected)
    }
  }
}

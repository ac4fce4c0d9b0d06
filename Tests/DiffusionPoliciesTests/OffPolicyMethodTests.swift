import Configuration
import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors
import Testing

@testable import DiffusionPolicies

/// The methods that train a policy's network off policy: each finds the better mode of the bandit, and goes
/// on with the same bits.
@Suite(.serialized) struct OffPolicyMethodTests {
  /// A method with the settings by which it learns in seconds.
  struct Method: CustomTestStringConvertible, Sendable {
    var name: String
    var iterations = 6
    var environment = "bandit"
    var change: @Sendable (inout PolicyTrainingStart) -> Void = { _ in }

    var testDescription: String { name }
  }

  static let methods = [
    Method(name: "idql") {
      $0.offPolicy.idql.candidates = 8
      $0.offPolicy.actorLearningRate = 1e-4
    },
    Method(name: "dql") {
      $0.offPolicy.dql.qWeight = 3
      $0.offPolicy.actorLearningRate = 1e-3
    },
    // Wherever a chunk begins, it climbs the mode that is nearest: QSM is held to no other.
    Method(name: "qsm", environment: "slope") {
      $0.offPolicy.qsm.gradientScale = 3
      $0.offPolicy.actorLearningRate = 1e-3
    },
    Method(name: "dipo") {
      $0.offPolicy.dipo.climbLearningRate = 2e-2
      $0.offPolicy.actorLearningRate = 1e-3
      $0.offPolicy.targetRate = 0.02
    },
    Method(name: "drwr") {
      $0.offPolicy.updateInterval = 0
      $0.offPolicy.drwr.weighting.beta = 3
      $0.offPolicy.actorLearningRate = 1e-3
    },
    Method(name: "dawr") {
      $0.offPolicy.updateInterval = 0
      $0.offPolicy.updates = 60
      $0.offPolicy.dawr.weighting.beta = 3
      $0.offPolicy.actorLearningRate = 1e-3
      $0.offPolicy.capacity = 400
    },
  ]

  /// The base draws both modes; who learns prefers the better one, and the worse one where rewards are
  /// negated: a wrong sign fails.
  @Test(arguments: methods) func itPrefersTheBetterMode(_ method: Method) throws {
    var base = BanditTraining.base
    base.configuration.environment.name = method.environment
    let before = try BanditTraining.meanReturn(base)
    let (rewarded, punished) = try BanditTraining.learned(
      base, algorithm: method.name, iterations: method.iterations, method.change)
    print("\(method.name): mean return \(before) -> \(rewarded), by negated rewards \(punished)")
    #expect(rewarded > before + 0.08)
    #expect(punished < before - 0.08)
  }

  private func numbers(_ training: any PolicyTrainer) throws -> [Double] {
    let metrics = try training.iterate()
    return [Double(training.iteration), Double(training.environmentSteps)]
      + metrics.values.sorted { $0.key < $1.key }.map(\.value)
      + training.finishedEpisodes.map(\.totalReward)
  }

  /// A training that was stopped goes on with the same bits, in the middle of episodes.
  @Test(arguments: methods) func goesOnExactly(_ method: Method) throws {
    let checkpoint = try TargetTraining.start()
    func make(
      _ checkpoint: PolicyCheckpoint, _ state: TrainingState? = nil
    ) throws -> any PolicyTrainer {
      try BanditTraining.trainer(checkpoint, algorithm: method.name, state: state) {
        method.change(&$0)
        $0.configuration.environments = 3
        $0.configuration.rolloutSteps = 8
        $0.offPolicy.warmUpDecisions = 4
        $0.offPolicy.updateInterval = min($0.offPolicy.updateInterval, 2)
        $0.offPolicy.updates = 3
        $0.offPolicy.batchSize = 16
        $0.offPolicy.capacity = 33
        $0.offPolicy.criticWarmUpUpdates = method.name == "drwr" ? 0 : 2
        $0.offPolicy.drwr.epochs = 2
      }
    }
    let whole = try make(checkpoint)
    let wholeNumbers = try (0..<4).map { _ in try numbers(whole) }
    let areFinite = wholeNumbers.joined().allSatisfy { $0.isFinite }
    #expect(areFinite)
    let first = try make(checkpoint)
    let firstNumbers = try (0..<2).map { _ in try numbers(first) }
    let state = try first.trainingState().throughAFile()
    let second = try make(first.checkpoint(), state)
    let secondNumbers = try (0..<2).map { _ in try numbers(second) }
    #expect(firstNumbers + secondNumbers == wholeNumbers)
    let (one, other) = (try whole.trainingState(), try second.trainingState())
    #expect(one.numbers == other.numbers && one.tensors.count > 10)
    #expect(one.tensors.count == other.tensors.count)
    for (name, value) in one.tensors {
      #expect(value.elements == other.tensors[name]?.elements, "\(name)")
    }
  }

  /// Critics that warm up leave the policy as it is.
  @Test func criticsWarmUp() throws {
    let training = try BanditTraining.trainer(BanditTraining.base, algorithm: "idql") {
      $0.offPolicy.criticWarmUpUpdates = 20
      $0.offPolicy.updateInterval = 0
    }
    let before = training.policy.parameters.values.mapValues(\.elements)
    #expect(try training.iterate()["updates"] == 20)
    #expect(training.policy.parameters.values.mapValues(\.elements) == before)
    _ = try training.iterate()
    #expect(training.policy.parameters.values.mapValues(\.elements) != before)
  }

  /// A policy that IDQL has learned executes the best of its chunks, unless one is requested.
  @Test func idqlKeepsHowManyChunksItDraws() throws {
    let training = try BanditTraining.trainer(
      BanditTraining.base, algorithm: "idql", Self.methods[0].change)
    for _ in 0..<4 { _ = try training.iterate() }
    let checkpoint = training.checkpoint()
    let read = try PolicyCheckpoint(
      path: "idql", weights: checkpoint.weights, metadata: checkpoint.metadata())
    #expect(read.bestOf == 8)
    let (one, best) = (
      try BanditTraining.meanReturn(read, bestOf: 1), try BanditTraining.meanReturn(read)
    )
    #expect(best > one + 0.08)
  }

  /// Stored chunks stay what was done, whatever DIPO has moved beside them.
  @Test func dipoKeepsWhatWasDone() throws {
    var start = PolicyTrainingStart(
      BanditTraining.base, configuration: DPPOConfiguration(), seed: 3,
      registry: BanditEnvironment.registry)
    start.offPolicy.updates = 5
    start.offPolicy.batchSize = 8
    start.offPolicy.dipo.climbLearningRate = 0.1
    start.offPolicy.critic.layers.hiddenSizes = [8]
    let method = try DIPO(start)
    var online = ReplayBuffer(
      observationSize: 1, actionSize: 2, environmentCount: 1, capacity: 3)
    func add(_ action: Float) {
      let step = ReplayStep(
        observations: [0], actions: [action, action], rewards: [1], stepCounts: [2],
        isTerminated: [true], isFinished: [true], isLost: [false], reached: [0])
      method.kept(step, in: online.append(step))
    }
    for action in [0.1, 0.2, 0.3] as [Float] { add(action) }
    let memory = ReplayMemory(
      online: online, demonstrations: nil, demonstrationFraction: 0,
      returns: ReplayReturns(gamma: 0.9))
    var metrics = Metrics(DIPO.metrics)
    try method.improve(memory, random: RandomStream(seed: 1), &metrics)
    #expect(
      online.batch([0, 1, 2], ReplayReturns(gamma: 0.9)).actions.elements
        == [0.1, 0.1, 0.2, 0.2, 0.3, 0.3])
    #expect(method.improved.count == 6 && method.improved != [0.1, 0.1, 0.2, 0.2, 0.3, 0.3])
    // What takes a slot over begins as it was done.
    add(0.4)
    #expect(Array(method.improved[..<2]) == [0.4, 0.4])
  }

  /// Returns to go of whole episodes, also of those that began in an earlier iteration.
  @Test func drwrLearnsOfEpisodesThatHaveEnded() throws {
    var start = PolicyTrainingStart(
      BanditTraining.base, configuration: DPPOConfiguration(), seed: 3,
      registry: BanditEnvironment.registry)
    start.configuration.environments = 2
    start.configuration.gamma = 0.5
    let method = try DRWR(start)
    func add(_ rewards: [Float], ends: [Bool], isLost: [Bool] = [false, false]) {
      method.kept(
        ReplayStep(
          observations: [0, 0], actions: [0, 0, 0, 0], rewards: rewards, stepCounts: [2, 2],
          isTerminated: ends, isFinished: ends, isLost: isLost, reached: [0, 0]), in: 0..<2)
    }
    add([1, 8], ends: [false, false])
    #expect(method.finished.isEmpty)
    add([2, 8], ends: [false, false], isLost: [false, true])
    add([4, 3], ends: [true, true])
    // 1 + 0.5 (2 + 0.5 x 4), 2 + 0.5 x 4, 4; and the other environment's, which was lost before.
    let returns: [Float] = [3, 4, 4, 3]
    #expect(method.finished.map(\.reward) == returns)
  }

  /// TD(lambda) bootstraps from what a time-out reached, and does not cross it.
  @Test func dawrEstimatesEndWithEpisodes() throws {
    var start = PolicyTrainingStart(
      BanditTraining.base, configuration: DPPOConfiguration(), seed: 3,
      registry: BanditEnvironment.registry)
    start.configuration.gamma = 0.5
    start.offPolicy.dawr.lambda = 1
    start.offPolicy.critic.layers.hiddenSizes = [4]
    let method = try DAWR(start)
    // V is 10 everywhere.
    for (name, parameter) in method.values.parameters {
      parameter.value = Tensor(
        repeating: name == "members.0.moduleList.1.linear_1.bias" ? 10 : 0,
        shape: parameter.value.shape)
    }
    var buffer = ReplayBuffer(
      observationSize: 1, actionSize: 2, environmentCount: 1, capacity: 10)
    for (index, (terminated, finished)) in [
      (false, false), (false, true), (false, false), (true, true), (false, false),
    ].enumerated() {
      buffer.append(
        ReplayStep(
          observations: [Float(index)], actions: [0, 0], rewards: [1], stepCounts: [2],
          isTerminated: [terminated], isFinished: [finished], isLost: [false],
          reached: [Float(index + 1)]))
    }
    let targets = method.estimates(buffer).targets
    // 1 + V/2 = 6 where an episode was cut or still runs; 1 where it ended.
    let expected: [Float?] = [4, 6, 1.5, 1, 6]
    let found = (0..<5).map { targets[$0] }
    #expect(found == expected)
  }

  /// Of a policy whose last steps alone were fine-tuned there is no one network to train.
  @Test func oneNetworkIsTrained() throws {
    var checkpoint = BanditTraining.base
    let actor = checkpoint.weights.under("network")
    checkpoint.weights = actor.prefixed("actor").merging(actor.prefixed("actor_ft")) { $1 }
    checkpoint.fineTunedSteps = 3
    for name in Self.methods.map(\.name) {
      #expect(throws: ConfigurationError.self) {
        try BanditTraining.trainer(checkpoint, algorithm: name)
      }
    }
  }
}

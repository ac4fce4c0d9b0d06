import Environments
import NeuralNetworks
import Tensors

@testable import DiffusionPolicies

/// One state and one decision of two actions: being near 0.6 pays 1, being near -0.6 half of it. Whoever
/// learns has to prefer the better of two modes. In `slope`, the second mode pays less than what lies
/// between: there is one way up from everywhere.
final class BanditEnvironment: Environment {
  let name = "bandit"
  let observationSpace = BoxSpace(names: ["constant"], bounds: -1...1)
  let actionSpace = BoxSpace(names: ["position"], bounds: -1...1)
  let stepsPerSecond = 1.0
  private var stepCount = 0
  private let isSlope: Bool

  init(isSlope: Bool) { self.isSlope = isSlope }

  func reset(_ start: EpisodeStart) { stepCount = 0 }

  func step(_ action: UnsafeBufferPointer<Float>) -> StepOutcome {
    stepCount += 1
    return StepOutcome(reward: reward(action[0]) / 2, isTerminated: stepCount == 2)
  }

  private func reward(_ action: Float) -> Float {
    if isSlope { return 1 - abs(action - 0.6) / 2 }
    func near(_ place: Float) -> Float { max(0, 1 - abs(action - place) / 0.5) }
    return max(near(0.6), near(-0.6) / 2)
  }

  func observe(into observation: UnsafeMutableBufferPointer<Float>) { observation[0] = 0 }

  func save(to state: inout EnvironmentState) {
    state.appendTag(name)
    state.append(stepCount)
  }

  func restore(from reader: inout EnvironmentState.Reader) throws {
    try reader.readTag(name)
    stepCount = try reader.readInteger()
  }

  static let registry: EnvironmentRegistry = {
    var registry = TargetEnvironment.registry
    registry.register(
      .init(name: "bandit", summary: "two modes", timeLimit: 12) { _ in
        BanditEnvironment(isSlope: false)
      })
    registry.register(
      .init(name: "slope", summary: "one way up", timeLimit: 12) { _ in
        BanditEnvironment(isSlope: true)
      })
    return registry
  }()
}

/// A diffusion policy that has learned both modes of the bandit alike, and trainings that start from it.
enum BanditTraining {
  static let base: PolicyCheckpoint = {
    do { return try makeBase() } catch { preconditionFailure("no policy for the bandit: \(error)") }
  }()

  private static func makeBase() throws -> PolicyCheckpoint {
    var policy = PolicyConfiguration()
    policy.environment.name = "bandit"
    policy.horizonSteps = 2
    policy.actionSteps = 2
    policy.network.hiddenSizes = [32, 32, 32]
    policy.denoising.stepCount = 10
    policy.denoising.ddimStepCount = 5
    let layout = ObservationLayout(stepCount: 1, stateSize: 1)
    var random = RandomStream(seed: 2)
    let (loss, parameters) = try policy.makeCloning(
      layout, actionSize: 1, entropyCoefficient: 0, encoders: .standard, random: &random)
    let optimizer = Adam(parameters, learningRate: 3e-3)
    let observations = Observations(.zeros([64, 1, 1]))
    for number in 0..<800 {
      if number == 600 { optimizer.learningRate = 5e-4 }
      let modes = random.uniform([64, 1, 1]).elements.map { Float($0 < 0.5 ? -0.6 : 0.6) }
      let chunks = Tensor(shape: [64, 1, 1], elements: modes) + random.normal([64, 2, 1]) * 0.05
      let batch = ChunkBatch(observations: observations, chunks: chunks)
      let draws = random.split(number)
      let (_, _, gradients) = shardedValueAndGradients(count: 64, shardSize: 16) {
        ShardResult(loss: loss(batch, rows: $0, draws: draws))
      }
      optimizer.step(gradients)
    }
    let normalization = DemonstrationNormalization(
      observations: MinMaxNormalization(minimum: [-1], maximum: [1]),
      actions: MinMaxNormalization(minimum: [-1], maximum: [1]))
    return PolicyCheckpoint(
      configuration: policy, normalization: normalization,
      weights: parameters.values.prefixed("network"))
  }

  /// The base by DDIM without noise of its own.
  static var implicitBase: PolicyCheckpoint {
    var checkpoint = base
    checkpoint.configuration.denoising.sampler = .ddim
    return checkpoint
  }

  /// 8 environments of 25 decisions an iteration; 20 decisions warm up.
  static func trainer(
    _ checkpoint: PolicyCheckpoint, algorithm: String, iterations: Int = 4,
    base: BasePolicyFile? = nil, state: TrainingState? = nil,
    _ change: (inout PolicyTrainingStart) -> Void = { _ in }
  ) throws -> any PolicyTrainer {
    var configuration = DPPOConfiguration()
    configuration.iterations = iterations
    configuration.environments = 8
    configuration.rolloutSteps = 25
    var start = PolicyTrainingStart(
      checkpoint, configuration: configuration, seed: 3, registry: BanditEnvironment.registry,
      state: state)
    start.base = base
    start.offPolicy.warmUpDecisions = 20
    start.offPolicy.updateInterval = 5
    start.offPolicy.updates = 20
    start.offPolicy.batchSize = 64
    start.offPolicy.critic.layers.hiddenSizes = [32, 32]
    start.offPolicy.criticLearningRate = 3e-3
    start.offPolicy.actorLearningRate = 3e-3
    start.offPolicy.dsrl.noise.actor.hiddenSizes = [32]
    start.offPolicy.dsrl.initialTemperature = 0.05
    start.offPolicy.dsrl.targetEntropy = -2
    change(&start)
    return try PolicyAlgorithmRegistry.standard.trainer(start, algorithm: algorithm)
  }

  /// The mean return of 100 episodes as the policy is evaluated.
  static func meanReturn(_ checkpoint: PolicyCheckpoint, bestOf: Int? = nil) throws -> Double {
    let environment = try PolicyEnvironment(
      checkpoint.configuration, normalization: checkpoint.normalization,
      registry: BanditEnvironment.registry)
    let episodes = try PolicyEvaluation(environment, seed: 9).play(
      checkpoint.makeActingPolicy(bestOf: bestOf), episodeCount: 100)
    return EvaluationSummary(environment: "bandit", episodes).meanReturn
  }

  /// The mean return after a training from rewards, and from their negatives.
  static func learned(
    _ checkpoint: PolicyCheckpoint, algorithm: String, iterations: Int = 4,
    _ change: (inout PolicyTrainingStart) -> Void = { _ in }
  ) throws -> (rewarded: Double, punished: Double) {
    func train(_ factor: Double) throws -> Double {
      let training = try trainer(checkpoint, algorithm: algorithm, iterations: iterations) {
        change(&$0)
        $0.configuration.rewardFactor = factor
      }
      while !training.isFinished { _ = try training.iterate() }
      return try meanReturn(training.checkpoint())
    }
    return (try train(1), try train(-1))
  }
}

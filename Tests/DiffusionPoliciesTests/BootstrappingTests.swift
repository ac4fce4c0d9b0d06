import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors
import Testing

@testable import DiffusionPolicies

/// What a decision is worth when its episode goes on, ends, or runs out of time, against a
/// simulation of the environment step by step.
@Suite struct BootstrappingTests {
  private static let (environmentCount, rolloutSteps, actionSteps) = (12, 40, 2)
  private static let timeLimit = 12
  private let configuration: DPPOConfiguration
  private let rollout: Rollout
  private let estimates: AdvantageEstimates
  private let critic: ObservingCritic

  init() throws {
    var policy = PolicyConfiguration()
    policy.environment.name = "target"
    policy.observationSteps = 2
    policy.horizonSteps = 4
    policy.actionSteps = Self.actionSteps
    policy.network.hiddenSizes = [16, 16, 16]
    policy.denoising.stepCount = 4
    var configuration = DPPOConfiguration()
    configuration.scalesRewards = false
    configuration.critic.hiddenSizes = [16, 16, 16]
    configuration.gamma = 0.9
    configuration.gaeLambda = 0.8
    // Wild enough to leave the line now and then.
    configuration.exploration.minSamplingStd = 1
    self.configuration = configuration
    var random = RandomStream(seed: 7)
    critic = try policy.makeCritic(
      configuration.critic, ObservationLayout(stepCount: 2, stateSize: 1), random: &random)
    let diffusion = try DiffusionPolicy(
      policy, exploration: configuration.exploration,
      layout: ObservationLayout(stepCount: 2, stateSize: 1), actionSize: 1,
      transitionCount: 4, random: RandomStream(seed: 5))
    let environment = try PolicyEnvironment(
      policy,
      normalization: DemonstrationNormalization(
        observations: MinMaxNormalization(minimum: [-2], maximum: [2]),
        actions: MinMaxNormalization(minimum: [-1], maximum: [1])),
      registry: TargetEnvironment.registry)
    let collector = try RolloutCollector(environment, count: Self.environmentCount, seed: 3)
    var metrics = Metrics()
    rollout = try collector.collect(
      diffusion, rolloutSteps: Self.rolloutSteps, iteration: 0, &metrics)
    var scaler = RewardScaler(
      environmentCount: Self.environmentCount, gamma: configuration.gamma)
    estimates = AdvantageEstimates(
      rollout, critic: critic, configuration: configuration, scaler: &scaler)
  }

  /// What the line does with a decision.
  private struct Replay {
    var reward: Float = 0
    var isTerminated = false
    var isTimeOut = false
    /// The last two places, divided by 2 as the policy sees them.
    var reached: [Float] = []
  }

  private func replay(row: Int, stepsBefore: Int) -> Replay {
    var replay = Replay()
    let seen = rollout.observations.slice(row..<row + 1).state.elements
    var (previous, x) = (Double(seen[0]) * 2, Double(seen[1]) * 2)
    let chunk = rollout.states.slice(row..<row + 1).elements.suffix(4)
    for (step, action) in chunk.prefix(Self.actionSteps).enumerated() {
      (previous, x) = (x, x + 0.3 * Double(action))
      replay.reward += Float(1 - abs(x - 0.5))
      replay.isTerminated = abs(x) > 2
      replay.isTimeOut = !replay.isTerminated && stepsBefore + step + 1 == Self.timeLimit
      if replay.isTerminated || replay.isTimeOut { break }
    }
    replay.reached = [Float(previous / 2), Float(x / 2)]
    return replay
  }

  @Test func advantagesAreThoseOfTheTrueLastObservations() {
    let (gamma, decay) = (Float(configuration.gamma), Float(configuration.gaeLambda))
    var (terminations, timeOuts) = (0, 0)
    for environment in 0..<Self.environmentCount {
      var steps = 0
      var replays: [Replay] = []
      for decision in 0..<Self.rolloutSteps {
        let row = decision * Self.environmentCount + environment
        if rollout.isFirst[row] { steps = 0 }
        replays.append(replay(row: row, stepsBefore: steps))
        steps += Self.actionSteps
      }
      var advantage: Float = 0
      for decision in (0..<Self.rolloutSteps).reversed() {
        let row = decision * Self.environmentCount + environment
        let replay = replays[decision]
        #expect(replay.isTerminated == rollout.isTerminated[row])
        #expect((replay.isTerminated || replay.isTimeOut) == rollout.isFinished[row])
        terminations += replay.isTerminated ? 1 : 0
        timeOuts += replay.isTimeOut ? 1 : 0
        let value = critic(rollout.observations.slice(row..<row + 1)).scalar
        let next = critic(
          Observations(Tensor(shape: [1, 2, 1], elements: replay.reached))
        ).scalar
        let change = replay.reward + (replay.isTerminated ? 0 : gamma * next) - value
        let isFinished = replay.isTerminated || replay.isTimeOut
        advantage = change + (isFinished ? 0 : gamma * decay * advantage)
        #expect(abs(estimates.advantages[row] - advantage) <= 1e-4, "decision \(decision)")
        #expect(abs(estimates.returns[row] - advantage - value) <= 1e-4, "decision \(decision)")
      }
    }
    #expect(terminations > 0 && timeOuts > 0, "\(terminations) and \(timeOuts)")
  }
}

import Configuration
import Environments
import Foundation
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// How decisions are weighted by what they were worth; the names in parentheses are the reference's.
public struct WeightedRegressionConfiguration: Settings {
  /// The weight of a decision is exp(beta w) for a worth w of mean 0 and standard deviation 1 (`beta`).
  @Setting(.notNegative) public var beta = 10.0
  /// Weights are no greater than this (`max_reward_weight`, `max_adv_weight`).
  @Setting(.positive) public var maxWeight = 100.0

  /// The reference's numbers.
  public init() {}

  /// The weights of numbers that are standardized first.
  ///
  /// - Parameters:
  ///   - numbers: at least one.
  ///   - epsilon: is added to the standard deviation.
  ///   - correction: what is taken from the count in it, 1 as in `torch.std`, 0 as in `numpy.std`.
  func weights(_ numbers: [Float], epsilon: Double, correction: Double) -> [Float] {
    let count = Double(numbers.count)
    let mean = numbers.reduce(0) { $0 + Double($1) } / count
    let squares = numbers.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    let std = (squares / max(count - correction, 1)).squareRoot()
    return numbers.map {
      Float(min(exp(beta * (Double($0) - mean) / (std + epsilon)), maxWeight))
    }
  }
}

/// How DRWR learns; the names in parentheses are the reference's.
public struct DRWRConfiguration: Settings {
  /// How returns weigh.
  public var weighting = WeightedRegressionConfiguration()
  /// Passes over the decisions of an iteration (`update_epochs`).
  @Setting(1...10_000_000) public var epochs = 16

  /// The reference's numbers.
  public init() {}
}

/// Diffusion reward-weighted regression (DRWR, Ren et al., arXiv:2409.00588, after Peters and Schaal 2007):
/// the policy imitates the decisions of the last iteration, those of high returns more.
///
///     pi: w(G) times the denoising loss on c, w = min(exp(beta G), limit), G the standardized return to go
///
/// There is no critic. Episodes that have not ended are learned from when they do.
final class DRWR: OffPolicyMethod {
  static let metrics: KeyValuePairs<String, Metrics.Kind> = [
    "actorLoss": .mean, "policyGradientNorm": .mean, "meanWeight": .mean, "learnedDecisions": .sum,
    "updates": .sum,
  ]
  static var usesReplay: Bool { false }

  let learner: DenoiserLearner
  private let configuration: OffPolicyConfiguration
  private let gamma: Double
  private let observationSize: Int
  /// The running episode of each environment.
  private var running: [[Decision]]
  /// Decisions of episodes that have ended, with their returns to go in place of rewards.
  private(set) var finished: [Decision] = []

  /// A decision and what it earned.
  struct Decision: Equatable {
    var state: [Float]
    var action: [Float]
    var reward: Float
    var stepCount: Int
  }

  /// How returns weigh.
  var weighting: WeightedRegressionConfiguration { configuration.drwr.weighting }
  var policy: DiffusionPolicy { learner.policy }
  var storedSize: Int { learner.storedSize }

  /// - Throws: `ConfigurationError` or `ParameterError` for parts that do not fit.
  init(_ start: PolicyTrainingStart) throws {
    configuration = start.offPolicy
    learner = try DenoiserLearner(start)
    gamma = start.configuration.gamma
    observationSize = learner.shape.observationSize
    running = Array(repeating: [], count: start.configuration.environments)
  }

  func decide(
    on observations: Observations, isWarmingUp: Bool, streams: [RandomStream]
  ) -> OffPolicyDecision {
    learner.decide(on: observations, streams: streams)
  }

  /// Demonstrations have no returns that could be compared with those of an iteration.
  func stored(_ chunks: Tensor) -> Tensor? { nil }

  func kept(_ step: ReplayStep, in slots: Range<Int>) {
    for index in running.indices {
      if step.isLost[index] {
        // Nobody knows what the episode would have come to.
        running[index] = []
        continue
      }
      func row(_ numbers: [Float], _ size: Int) -> [Float] {
        Array(numbers[index * size..<(index + 1) * size])
      }
      running[index].append(
        Decision(
          state: row(step.observations, observationSize), action: row(step.actions, storedSize),
          reward: step.rewards[index], stepCount: step.stepCounts[index]))
      if step.isFinished[index] || step.isTerminated[index] {
        finished += withReturns(running[index])
        running[index] = []
      }
    }
  }

  /// The episodes that run are abandoned: nobody will know their returns.
  func abandonEpisodes() { running = running.map { _ in [] } }

  /// The decisions of an episode with their discounted returns to go.
  private func withReturns(_ episode: [Decision]) -> [Decision] {
    var following = 0.0
    let isPerStep = configuration.chunkDiscount == .perStep
    var result = episode
    for index in result.indices.reversed() {
      let discount = isPerStep ? pow(gamma, Double(result[index].stepCount)) : gamma
      following = Double(result[index].reward) + discount * following
      result[index].reward = Float(following)
    }
    return result
  }

  func improve(_ replay: ReplayMemory, random: RandomStream, _ metrics: inout Metrics) throws {
    guard !finished.isEmpty else { return }
    let weights = weighting.weights(
      finished.map(\.reward), epsilon: 1e-3, correction: 0)
    for weight in weights { metrics.add("meanWeight", Double(weight)) }
    metrics.add("learnedDecisions", Double(finished.count))
    let size = min(configuration.batchSize, finished.count)
    for epoch in 0..<configuration.drwr.epochs {
      var random = random.split(epoch)
      let order = random.permutation(finished.count)
      for batch in 0..<finished.count / size {
        let rows = Array(order[batch * size..<(batch + 1) * size])
        try update(
          rows.map { finished[$0] }, weights: Tensor(rows.map { weights[$0] }),
          learner.draws(size, random: &random), &metrics)
      }
    }
    finished = []
  }

  /// A step of the policy on some decisions.
  func update(
    _ decisions: [Decision], weights: Tensor, _ draws: DenoiserLearner.Draws,
    _ metrics: inout Metrics
  ) throws {
    learner.beginUpdate()
    let count = decisions.count
    let states = Tensor(
      shape: [count, observationSize], elements: decisions.flatMap(\.state))
    let chunks = learner.chunks(
      Tensor(shape: [count, storedSize], elements: decisions.flatMap(\.action)))
    try learner.step(count, &metrics) { [learner] rows in
      ShardResult(
        loss: learner.denoisingLoss(chunks, states: states, draws, weights: weights, rows: rows))
    }
    metrics.add("updates", 1)
  }

  func store(in checkpoint: inout PolicyCheckpoint) { learner.store(in: &checkpoint) }

  var state: TrainingState {
    var state = TrainingState()
    state.add(learner.state, under: "policy")
    state.tensors["decisions"] = Self.tensor(
      running.joined() + finished, width: observationSize + storedSize + 2)
    state.texts["runningCounts"] = running.map { String($0.count) }.joined(separator: " ")
    return state
  }

  private static func tensor(_ decisions: [Decision], width: Int) -> Tensor {
    Tensor(
      shape: [decisions.count, width],
      elements: decisions.flatMap { $0.state + $0.action + [$0.reward, Float($0.stepCount)] })
  }

  func restore(_ state: TrainingState, weights: [String: Tensor]) throws {
    try learner.restore(state.state(under: "policy"), weights: weights)
    let width = observationSize + storedSize + 2
    guard let tensor = state.tensors["decisions"] else {
      throw ParameterError.missing(name: "decisions", nearest: nil)
    }
    guard tensor.shape.last == width else {
      throw ParameterError.shape(
        name: "decisions", found: tensor.shape, expected: [tensor.shape[0], width])
    }
    let elements = tensor.elements
    var decisions = (0..<tensor.shape[0]).map { row in
      let numbers = Array(elements[row * width..<(row + 1) * width])
      return Decision(
        state: Array(numbers[..<observationSize]),
        action: Array(numbers[observationSize..<observationSize + storedSize]),
        reward: numbers[width - 2], stepCount: Int(numbers[width - 1]))
    }[...]
    let counts = try state.text("runningCounts").split(separator: " ").compactMap { Int($0) }
    guard counts.count == running.count, counts.reduce(0, +) <= decisions.count else {
      throw ParameterError.shape(
        name: "runningCounts", found: [counts.count], expected: [running.count])
    }
    running = counts.map { count in
      defer { decisions = decisions.dropFirst(count) }
      return Array(decisions.prefix(count))
    }
    finished = Array(decisions)
  }
}

extension PolicyAlgorithm {
  /// DRWR, for diffusion policies.
  public static let drwr = PolicyAlgorithm(
    name: "drwr", networks: [.mlp, .unet], isOffPolicy: true, trainingSettings: ["exploration"],
    unreadOffPolicySettings: [
      "updates", "capacity", "returnDecisions", "critic", "criticReduction", "targetRate",
      "criticLearningRate", "criticWarmUpUpdates", "demonstrationFraction",
    ]
  ) { start in
    try OffPolicyTraining(start, method: DRWR(start))
  }
}

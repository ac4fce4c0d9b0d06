import Configuration
import Diffusion
import Foundation
import NeuralNetworks
import Tensors

/// Why a prior cannot be learned.
public enum FINDError: Error, Equatable, CustomStringConvertible {
  /// Too many images have no finite reward.
  case rewards(missing: Int, of: Int)

  /// What happened, and what to do.
  public var description: String {
    switch self {
    case .rewards(let missing, let count):
      """
      the reward gave no finite number for \(missing) of \(count) images; correct it, or allow \
      more with maxDroppedFraction
      """
    }
  }
}

/// Learns the prior of one prompt: draws first actions of a `DenoisingProcess`, and moves their
/// distribution towards those that brought more.
///
/// What it draws is a function of the seed, the images so far and the prior, so that a restored
/// learner goes on exactly.
final class PriorLearner {
  /// How it learns.
  let configuration: FINDConfiguration
  /// Finished iterations.
  private(set) var iteration = 0
  /// Whether the reward has stopped rising.
  private(set) var hasSettled = false
  /// Images or clips scored so far.
  private(set) var imageCount = 0

  private let process: DenoisingProcess
  private let parameters: LearnedPrior
  private let update: PriorUpdate
  private let baseline: LearnedBaseline?
  private var released: ReleasedUpdate?
  private var history: NoiseHistory
  private var meanRewards: [Double] = []
  private let seed: UInt64
  private let promptIndex: Int
  private let purpose: String

  /// What an iteration brought.
  struct Report: Sendable, Equatable {
    /// The mean of the rewards that there were.
    var reward: Double
    /// Its standard error; 0 for one reward.
    var rewardStandardError: Double
    /// The highest.
    var bestReward: Double
    /// Those without a finite reward.
    var droppedCount: Int
    /// KL(pi || N(0, I)) after the update, in nats.
    var divergence: Double
    /// The length of mu after it.
    var shift: Double
    /// The mean of sigma after it.
    var meanStd: Double
    /// The objective, negated, of the last epoch.
    var loss: Double
    /// The fraction of noises whose ratio left the clip range in the last epoch.
    var clipFraction: Double
    /// The norm of the gradient of the last epoch.
    var gradientNorm: Double
  }

  /// - Parameters:
  ///   - process: whose first action is learned.
  ///   - shape: of the noise of one sample, channels last.
  ///   - promptEmbedding: `[E]`, read by the learned baseline.
  ///   - configuration: how.
  ///   - seed: decides the noise.
  ///   - promptIndex: which of several prompts with that seed it is.
  /// - Throws: `ConfigurationError` for settings that cannot be used.
  init(
    process: DenoisingProcess, shape: [Int], promptEmbedding: Tensor,
    configuration: FINDConfiguration, seed: UInt64,
    promptIndex: Int = 0
  ) throws {
    try configuration.validate()
    try ConfigurationError.require(
      configuration.frequencyFraction == 1 || shape.count > 1, "frequencyFraction",
      configuration.frequencyFraction, "1, because noise of shape \(shape) has no frequencies")
    if let fraction = configuration.timeFrequencyFraction {
      try ConfigurationError.require(
        shape.count > 3, "timeFrequencyFraction", fraction,
        "nothing, because noise of shape \(shape) is not of clips")
    }
    self.configuration = configuration
    self.process = process
    self.seed = seed
    self.promptIndex = promptIndex
    purpose = "initial noise of prompt \(promptIndex)"
    let isReleased = configuration.reproduction == .released
    parameters = LearnedPrior(
      shape: shape, learnsStd: configuration.learnsStd || isReleased)
    update = PriorUpdate(process: process, shape: shape, configuration: configuration)
    history = NoiseHistory(length: configuration.historyLength)
    if configuration.baseline == .learned || isReleased {
      var random = RandomStream(seed: seed, purpose: "baseline of prompt \(promptIndex)")
      let baseline = LearnedBaseline(
        elementCount: shape.reduce(1, *), promptEmbedding: promptEmbedding,
        learningRate: configuration.baselineLearningRate, random: &random)
      self.baseline = baseline
      if isReleased {
        released = ReleasedUpdate(parameters, baseline: baseline, configuration: configuration)
      }
    } else {
      baseline = nil
    }
  }

  /// The distribution as it is now.
  var prior: NoisePrior { parameters.prior }

  /// Whether there is nothing left to do.
  var isFinished: Bool { hasSettled || iteration >= configuration.iterations }

  /// The parameters of the learned baseline, for goldens.
  var baselineParameters: NamedParameters? { baseline?.parameters }

  /// The noise of the next iteration, `[N, ...]`.
  func draw() -> Tensor {
    let count = configuration.imageCount
    let isPaired = configuration.isAntithetic && count.isMultiple(of: 2)
    let drawnCount = isPaired ? count / 2 : count
    // Noise so far, not iterations times their size: a resumed run may draw more.
    let first = imageCount
    var streams = SampleStreams(seed: seed, purpose: purpose, indices: first..<first + drawnCount)
    var drawn = streams.noise([drawnCount] + prior.shape)
    if isPaired { drawn = .concatenated([drawn, -drawn], along: 0) }
    var noise = RecordedNoise([drawn])
    return process.withPrior(prior).firstAction(drawn.shape, noise: &noise)
  }

  /// The seeds of what the next iteration's noise becomes, `N` of them, for samplers that draw
  /// noise on their way. No two of a run are the same, whichever prompts have settled.
  ///
  /// - Parameter promptCount: all prompts that are learned with this seed, settled ones too.
  func imageSeeds(promptCount: Int) -> [UInt64] {
    let count = configuration.imageCount
    let first = imageCount * promptCount + promptIndex * count
    return (first..<first + count).map { seed &+ UInt64($0) }
  }

  /// Improves the prior by what its noise brought.
  ///
  /// - Parameters:
  ///   - noise: what `draw` gave, `[N, ...]`.
  ///   - rewards: one for each; nil or not finite where there is none, which leaves that noise out.
  /// - Throws: `FINDError` if too many are missing.
  func learn(from noise: Tensor, rewards: [Float?]) throws(FINDError) -> Report {
    precondition(
      noise.shape == [rewards.count] + prior.shape,
      "\(rewards.count) rewards for noise of shape \(noise.shape)")
    let kept = rewards.indices.filter { rewards[$0]?.isFinite ?? false }
    let dropped = rewards.count - kept.count
    guard !kept.isEmpty,
      Double(dropped) <= configuration.maxDroppedFraction * Double(rewards.count)
    else { throw FINDError.rewards(missing: dropped, of: rewards.count) }
    let finite = kept.compactMap { rewards[$0] }
    let mean = finite.reduce(0.0) { $0 + Double($1) } / Double(finite.count)
    var report = Report(
      reward: mean,
      rewardStandardError: Double(RewardCalibration.std(of: finite) ?? 0)
        / Double(finite.count).squareRoot(),
      bestReward: Double(finite.max() ?? 0), droppedCount: dropped, divergence: 0, shift: 0,
      meanStd: 0, loss: 0, clipFraction: 0, gradientNorm: 0)
    if let released {
      let (loss, ratio, norm) = released.step(noise: noise, reward: finite[0])
      report.loss = loss
      report.gradientNorm = norm
      report.clipFraction = abs(ratio - 1) > configuration.clipRange ? 1 : 0
    } else {
      remember(dropped == 0 ? noise : noise.gather(kept), finite)
      for _ in 0..<configuration.epochs {
        let result = update.step(parameters, history.entries)
        report.loss = result.loss
        report.gradientNorm = result.gradientNorm
        report.clipFraction = result.statistics.clipped / max(1, result.statistics.count)
      }
    }
    let prior = prior
    report.divergence = prior.divergence
    report.shift = prior.shift
    report.meanStd = Double(prior.standardDeviation.mean().scalar)
    iteration += 1
    imageCount += rewards.count
    meanRewards.append(mean)
    hasSettled = isSettled
    return report
  }

  /// Puts noise and calibrated rewards in the history.
  private func remember(_ noise: Tensor, _ rewards: [Float]) {
    let density = configuration.reduction(
      process.withPrior(prior).logProbability(ofFirstAction: noise))
    history.append(
      .init(noise: noise, logDensities: density, rewards: rewards, advantages: []))
    var advantages: [Float]
    switch configuration.baseline {
    case .none: advantages = rewards
    case .group: advantages = RewardCalibration.leaveOneOut(rewards)
    case .learned:
      let mean = rewards.reduce(0, +) / Float(rewards.count)
      baseline?.fit(prior, reward: mean, passCount: configuration.baselinePassCount)
      let expected = baseline?.value(of: prior) ?? 0
      advantages = rewards.map { $0 - expected }
    }
    switch configuration.rewardScaling {
    case .none: break
    case .ranks: advantages = RewardCalibration.ranks(rewards)
    case .std:
      // Rewards that are all equal say nothing about the noise.
      let std = RewardCalibration.std(of: history.rewards)
      advantages = advantages.map { value in std.map { value / $0 } ?? 0 }
    }
    history.calibrateLast(advantages)
  }

  /// Whether the last iterations were no better than those before, by more than a standard error.
  private var isSettled: Bool {
    let patience = configuration.patience
    guard patience > 0, meanRewards.count >= 2 * patience else { return false }
    let recent = meanRewards.suffix(patience)
    let before = meanRewards.dropLast(patience).suffix(patience)
    func moments(_ values: ArraySlice<Double>) -> (mean: Double, variance: Double) {
      let mean = values.reduce(0, +) / Double(values.count)
      let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      return (mean, squares / Double(max(1, values.count - 1)))
    }
    let (late, early) = (moments(recent), moments(before))
    let error = ((late.variance + early.variance) / Double(patience)).squareRoot()
    return late.mean - early.mean <= error
  }

  /// All that is needed to go on.
  var trainingState: TrainingState {
    var state = TrainingState()
    state.add(parameters.parameters.values, under: "prior")
    state.numbers["iteration"] = iteration
    state.numbers["imageCount"] = imageCount
    state.numbers["hasSettled"] = hasSettled ? 1 : 0
    state.texts["meanRewards"] = meanRewards.map { String($0) }.joined(separator: " ")
    history.store(in: &state)
    baseline?.store(in: &state)
    released?.store(in: &state)
    return state
  }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ParameterError` if the state belongs to another prior or configuration.
  func restore(_ state: TrainingState) throws {
    try parameters.parameters.load(state.tensors(under: "prior"))
    iteration = try state.number("iteration")
    imageCount = try state.number("imageCount")
    hasSettled = try state.number("hasSettled") == 1
    meanRewards = try state.text("meanRewards").split(separator: " ").compactMap { Double($0) }
    try history.restore(state)
    try baseline?.restore(state)
    try released?.restore(state)
  }
}

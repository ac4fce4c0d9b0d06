import Configuration
import Diffusion
import GenerativeModels
import Media
import NeuralNetworks
import Rewards
import Tensors

/// Fine-tuning of the initial noise distribution (FIND, arXiv:2407.19453): learns, for each prompt,
/// where a frozen model should start from.
///
/// Generation is a Markov decision process, `DenoisingProcess`, whose first action is the initial
/// noise. FIND plays that action and nothing else. The state is the prompt; the distribution of the
/// action is a `NoisePrior`; what the frozen model makes of it is scored by a reward. An iteration
/// draws noise from each prompt's prior, generates, scores, and learns from the scores.
public final class FIND: Trainer {
  /// How priors are learned.
  public let configuration: FINDConfiguration
  /// Generates, and stays as it is.
  public let model: any GenerativeModel
  /// What is generated; each prompt has a prior of its own.
  public let prompts: [String]
  /// What guidance leads away from.
  public let negativePrompt: String
  /// How it is generated.
  public let settings: GenerationSettings
  /// What is optimized.
  public let reward: any Reward
  /// Whether a state must come from a reward of the same name: those that are read from files may
  /// be named by where these lie.
  public var comparesRewards = true
  private let learners: [PriorLearner]
  private let communicator: any Communicator
  private let fingerprint: String

  /// - Parameters:
  ///   - model: generates.
  ///   - prompts: what is generated.
  ///   - negativePrompt: what guidance leads away from.
  ///   - settings: how it is generated.
  ///   - reward: scores it.
  ///   - configuration: how priors are learned.
  ///   - seed: decides the noise.
  ///   - communicator: divides images among processes.
  /// - Throws: `ConfigurationError` for settings that cannot be used; what the model throws if it
  ///   cannot generate so.
  public init(
    _ model: any GenerativeModel, prompts: [String], negativePrompt: String = "",
    settings: GenerationSettings = GenerationSettings(), reward: any Reward,
    configuration: FINDConfiguration = FINDConfiguration(), seed: UInt64 = 0,
    communicator: any Communicator = SingleProcess()
  ) throws {
    try ConfigurationError.require(!prompts.isEmpty, "prompts", "none", "at least one prompt")
    self.model = model
    self.prompts = prompts
    self.negativePrompt = negativePrompt
    self.settings = settings
    self.reward = reward
    self.configuration = configuration
    self.communicator = communicator
    let process = try model.process(settings)
    let shape = try model.sampleShape(settings)
    learners = try prompts.enumerated().map { index, prompt in
      let encoding = try model.promptEncoder.encode([prompt], as: .positive, settings: settings)
      return try PriorLearner(
        process: process, shape: shape, promptEmbedding: encoding.vectors.flattened(),
        configuration: configuration, seed: seed, promptIndex: index)
    }
    fingerprint = model.fingerprint
  }

  /// Finished iterations of the prompt that has most.
  public var iteration: Int { learners.map(\.iteration).max() ?? 0 }

  /// Whether the reward of every prompt has settled, or all iterations are done.
  public var isFinished: Bool { learners.allSatisfy(\.isFinished) }

  /// Fewer than the configuration says once every prompt's reward has settled.
  public var iterations: Int { isFinished ? iteration : configuration.iterations }

  /// Images or clips that were generated.
  public var step: Int { learners.reduce(0) { $0 + $1.imageCount } }

  /// The distributions as they are now, one for each prompt.
  public var priors: [NoisePrior] { learners.map(\.prior) }

  /// The same as files, each with what it was learned for.
  public var priorFiles: [NoisePriorFile] {
    zip(prompts, learners).map { prompt, learner in
      NoisePriorFile(
        prior: learner.prior,
        origin: PriorOrigin(
          prompt: prompt, negativePrompt: negativePrompt, model: fingerprint, settings: settings,
          reward: reward.name, imageCount: learner.imageCount))
    }
  }

  /// One iteration of every prompt that is not finished.
  ///
  /// - Throws: `FINDError` if too many rewards are missing; what model and reward throw.
  public func iterate() throws -> Metrics {
    var metrics = Metrics()
    let active = learners.indices.filter { !learners[$0].isFinished }

    // Draw: the first actions, z ~ N(mu, diag sigma^2).
    let noises = active.map { learners[$0].draw() }  // [N, ...] each
    let counts = noises.map { $0.shape[0] }
    let drawnFor = zip(active, counts).flatMap { index, count in
      [String](repeating: prompts[index], count: count)
    }
    let seeds = active.flatMap { learners[$0].imageSeeds(promptCount: prompts.count) }

    // Generate: the frozen model plays the other actions. Each process has its part of them.
    let own = communicator.fraction(of: drawnFor.count)
    let ownPrompts = Array(drawnFor[own])
    let media = try metrics.measure("denoise") {
      try own.isEmpty
        ? []
        : model.generate(
          prompts: ownPrompts, negativePrompts: [negativePrompt], seeds: Array(seeds[own]),
          settings: settings, initialNoise: Tensor.concatenated(noises, along: 0).slice(own))
    }

    // Score.
    let rewards = try metrics.measure("score") {
      let own = try media.isEmpty ? [] : reward.scored(media, prompts: ownPrompts).values
      return try communicator.gatherValues(own).flatMap { $0 }
    }

    // Learn: each prompt from its own.
    var reports: [(index: Int, report: PriorLearner.Report)] = []
    try metrics.measure("update") {
      var start = 0
      for (place, index) in active.enumerated() {
        let own = Array(rewards[start..<start + counts[place]])
        start += counts[place]
        reports.append((index, try learners[index].learn(from: noises[place], rewards: own)))
      }
    }
    record(reports, in: &metrics)
    return metrics
  }

  /// Means over prompts.
  private func record(
    _ reports: [(index: Int, report: PriorLearner.Report)], in metrics: inout Metrics
  ) {
    let count = Double(reports.count)
    func mean(_ value: (PriorLearner.Report) -> Double) -> Double {
      reports.reduce(0) { $0 + value($1.report) } / count
    }
    metrics["reward"] = mean(\.reward)
    metrics["rewardStandardError"] =
      mean { $0.rewardStandardError * $0.rewardStandardError }.squareRoot() / count.squareRoot()
    metrics["bestReward"] = mean(\.bestReward)
    metrics["droppedCount"] = mean { Double($0.droppedCount) } * count
    metrics["klDivergence"] = mean(\.divergence)
    metrics["shift"] = mean(\.shift)
    metrics["meanStd"] = mean(\.meanStd)
    metrics["loss"] = mean(\.loss)
    metrics["clipFraction"] = mean(\.clipFraction)
    metrics["gradientNorm"] = mean(\.gradientNorm)
    if prompts.count > 1 {
      for (index, report) in reports { metrics["rewardOfPrompt\(index + 1)"] = report.reward }
    }
  }

  /// What the model makes of a prompt, before or after: from plain noise, or from the prior as it
  /// is now; the same seeds give an image and its counterpart.
  ///
  /// - Parameters:
  ///   - prompt: which of the prompts.
  ///   - usesPrior: whether to start from its prior.
  ///   - firstSeed: of the first; the next have the seeds that follow.
  ///   - count: how many.
  ///   - other: generates, such as the same model with another decoder; the model if nil.
  /// - Throws: what the model throws.
  public func generate(
    prompt: Int, usesPrior: Bool, firstSeed: UInt64, count: Int,
    by other: (any GenerativeModel)? = nil
  ) throws -> [Media] {
    try (other ?? model).generate(
      prompts: [prompts[prompt]], negativePrompts: [negativePrompt],
      seeds: (0..<count).map { firstSeed &+ UInt64($0) }, settings: settings,
      prior: usesPrior ? learners[prompt].prior : nil)
  }

  // MARK: Going on later

  /// Everything that the following iterations depend on, by name.
  public func trainingState() -> TrainingState {
    var state = TrainingState()
    for (index, learner) in learners.enumerated() {
      state.add(learner.trainingState, under: "prompt\(index)")
    }
    state.texts["model"] = fingerprint
    state.texts["prompts"] = prompts.joined(separator: "\n")
    state.texts["reward"] = reward.name
    return state
  }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ConfigurationError` if it is of another model, prompt or reward; `ParameterError`
  ///   if it is of another configuration.
  public func restore(_ state: TrainingState) throws {
    try requireSame("model", fingerprint, as: state)
    try requireSame("prompts", prompts.joined(separator: "\n"), as: state)
    if comparesRewards { try requireSame("reward", reward.name, as: state) }
    for (index, learner) in learners.enumerated() {
      try learner.restore(state.state(under: "prompt\(index)"))
    }
  }

  /// A prior that was learned for another prompt or model would go on under a wrong name.
  private func requireSame(_ key: String, _ found: String, as state: TrainingState) throws {
    // Runs from before this was checked do not say it.
    guard let start = state.texts[key], start != found else { return }
    throw ConfigurationError.badValue(
      key: key, found: found, expected: "what the run was started with, \(start)")
  }
}

import Configuration
import Diffusion
import Files
import Foundation
import GenerativeModels
import NeuralNetworks
import ReinforcementLearning
import Rewards
import Tensors
import TextToImage

/// The fine-tuning of a text-to-image model.
public typealias ImageFineTuning = PromptedFineTuning<TextToImagePipeline>

/// Policy gradients over all denoising steps of the weights of a model of images or clips: DDPO
/// (arXiv:2305.13301) and DPOK (arXiv:2305.16381).
///
/// An iteration draws images, or clips, of the prompts, scores them, and makes what pleased more probable.
/// Everything random in it is a function of the seed and the iteration's number, so that a restored
/// training goes on exactly. Only the training's owner may use the model while it goes on.
public final class PromptedFineTuning<Pipeline: PromptedPipeline>: Trainer {
  /// How it is improved.
  public let configuration: ImageFineTuningConfiguration
  /// What is improved; it always has the present weights, low-rank changes merged.
  public let model: PromptedModel<Pipeline.Network>
  /// What images are drawn for.
  public let prompts: [String]
  /// How images are drawn.
  public let settings: GenerationSettings
  /// Iterations done.
  public private(set) var iteration = 0
  /// Images drawn so far.
  public private(set) var imageCount = 0

  private let reward: any Reward
  private let collector: ImageRolloutCollector<Pipeline>
  private let weights: TrainedWeights
  private let optimizer: Adam
  private let update: DenoisingUpdate<Pipeline.Network>
  private var advantages: PromptAdvantages
  /// Of the model that the training started from.
  private let fingerprint: String
  private let seed: UInt64
  private let communicator: any Communicator

  /// - Parameters:
  ///   - model: what is improved; its text encoder and autoencoder stay as they are.
  ///   - configuration: how.
  ///   - prompts: what images are drawn for.
  ///   - reward: scores them.
  ///   - seed: decides the first low-rank changes, noise, prompts and minibatches.
  ///   - communicator: shares images and minibatches among processes.
  /// - Throws: `ConfigurationError` for settings that do not fit; `FileError` or `GenerationError`
  ///   if the model cannot be sampled by DDIM.
  public init(
    model: PromptedModel<Pipeline.Network>, configuration: ImageFineTuningConfiguration,
    prompts: [String],
    reward: any Reward, seed: UInt64, communicator: any Communicator = SingleProcess()
  ) throws {
    try configuration.validate()
    try ConfigurationError.require(!prompts.isEmpty, "prompts", "none", "at least one prompt")
    try ConfigurationError.require(
      configuration.promptsPerIteration <= prompts.count, "promptsPerIteration",
      configuration.promptsPerIteration, "up to the number of prompts, \(prompts.count)")
    let layers = model.textEncoder.configuration.layerCount
    try ConfigurationError.require(
      configuration.clipSkip <= layers, "clipSkip", configuration.clipSkip,
      "0 to \(layers), the layers of the model's text encoder")
    self.model = model
    self.configuration = configuration
    self.prompts = prompts
    self.reward = reward
    self.seed = seed
    self.communicator = communicator
    settings = configuration.generationSettings
    collector = try ImageRolloutCollector(
      Pipeline(model), settings: settings,
      reduction: configuration.logProbabilityReduction, seed: seed)
    try ConfigurationError.require(
      !collector.stochasticSteps.isEmpty, "stepCount", configuration.stepCount,
      "more steps: the only one leads to the clean image without noise")
    fingerprint = model.fingerprint
    for (_, parameter) in model.parameters { parameter.isTrainable = false }
    let frozen = model.unet.frozenCopy()
    weights = TrainedWeights(model.unet, configuration: configuration, seed: seed)
    try ConfigurationError.require(
      weights.parameters.count > 0, "loraRank", configuration.loraRank,
      "0, as this U-Net has no attention to adapt")
    optimizer = .withDecoupledDecay(
      weights.parameters, learningRate: Float(configuration.learningRate),
      weightDecay: Float(configuration.weightDecay))
    update = DenoisingUpdate(
      unet: model.unet, frozen: frozen,
      prompts: try EncodedPrompts(prompts, model: model, settings: settings),
      process: collector.process, guidance: settings.guidance,
      reduction: configuration.logProbabilityReduction,
      clipRange: Float(configuration.clipRange),
      klCoefficient: Float(configuration.klCoefficient),
      shardSize: DenoisingUpdate<Pipeline.Network>.shardSize(
        model.unet, sampleShape: collector.sampleShape, guidance: settings.guidance),
      communicator: communicator)
    advantages = PromptAdvantages(configuration)
  }

  /// The number of weights that learn.
  public var parameterCount: Int { weights.parameters.elementCount }

  /// How many iterations there are to be.
  public var iterations: Int { configuration.iterations }
  /// Curves are drawn over images.
  public var step: Int { imageCount }

  /// The fraction of images that must get a finite reward.
  private static var minScoredFraction: Double { 0.5 }

  /// Draws, scores and improves once.
  ///
  /// - Throws: `RewardError` if the reward fails, or is not finite for more than half of the
  ///   images; `NonFiniteGradient`, before it reaches a weight; what the communicator throws.
  public func iterate() throws -> Metrics {
    var metrics = Metrics([
      "policyLoss": .mean, "klPenalty": .mean, "clipFraction": .mean, "ratio": .mean,
      "approximateKL": .mean, "gradientNorm": .mean, "updates": .sum,
    ])
    let (rollout, divergence) = try metrics.measure("sample") {
      let rollout = try collector.collect(
        drawnPrompts(), iteration: iteration, over: communicator)
      return (rollout, chainDivergence(rollout))
    }
    let scores = try metrics.measure("score") {
      let own = try reward.scored(
        rollout.media, prompts: Array(rollout.prompts[rollout.ownRows]))
      let all = try communicator.gatherNumbers(own.values.map { $0 ?? .nan })
      return try RewardScores(all.flatMap { $0 })
        .requiring(fraction: Self.minScoredFraction, of: reward.name)
    }
    let begin = ContinuousClock.now
    try improve(
      rollout, advantages: advantages(scores.values, prompts: rollout.prompts), &metrics)
    metrics.add(ContinuousClock.now - begin, to: "update")
    iteration += 1
    imageCount += rollout.count
    metrics["images"] = Double(imageCount)
    metrics["reward"] = scores.mean ?? .nan
    metrics["rewardStandardError"] = scores.standardError
    metrics["droppedImages"] = Double(scores.droppedCount)
    metrics["klDivergence"] = divergence
    return metrics
  }

  /// A prompt for each image of this iteration.
  private func drawnPrompts() -> [String] {
    let count = configuration.promptsPerIteration
    var random = RandomStream(seed: seed, purpose: "prompts", index: iteration)
    let chosen =
      count == 0
      ? prompts
      : random.choiceWithoutReplacement(count, below: prompts.count).map { prompts[$0] }
    return chosen.flatMap { [String](repeating: $0, count: configuration.imagesPerPrompt) }
  }

  /// The divergence of the present policy from the frozen model over a whole chain: that of one
  /// random step of each image, times the number of steps.
  private func chainDivergence(_ rollout: ImageRollout) -> Double {
    var random = RandomStream(seed: seed, purpose: "divergence", index: iteration)
    let stepCount = rollout.stochasticSteps.count
    let (batch, _) = rollout.transitions(
      of: Array(0..<rollout.count),
      steps: rollout.prompts.map { _ in [random.integer(below: stepCount)] })
    let mean = update.divergences(batch, prompts: rollout.prompts).mean().scalar
    return Double(mean) * Double(stepCount)
  }

  /// Several passes over the images that have advantages.
  private func improve(
    _ rollout: ImageRollout, advantages: [Float?], _ metrics: inout Metrics
  ) throws {
    let order = RandomStream(seed: seed, purpose: "minibatches", index: iteration)
    let scored = advantages.indices.filter { advantages[$0] != nil }
    let partCount = min(configuration.updatesPerEpoch, scored.count)
    for epoch in 0..<configuration.epochs {
      var order = order.split(epoch)
      let shuffled = order.permutation(scored.count).map { scored[$0] }
      for part in 0..<partCount {
        let range = scored.count * part / partCount..<scored.count * (part + 1) / partCount
        let images = Array(shuffled[range])
        let batch = minibatch(
          rollout, images: images, advantages: images.map { advantages[$0] ?? 0 }, &order)
        try improve(batch, &metrics)
      }
    }
  }

  /// Some denoising steps of the given images, drawn for each image on its own.
  private func minibatch(
    _ rollout: ImageRollout, images: [Int], advantages: [Float], _ random: inout RandomStream
  ) -> TransitionBatch<[String]> {
    let stepCount = rollout.stochasticSteps.count
    let fraction = configuration.trainedStepFraction * Double(stepCount)
    let chosenCount = max(1, Int(fraction.rounded()))
    let steps = images.map { _ in
      random.choiceWithoutReplacement(chosenCount, below: stepCount)
    }
    let (transitions, old) = rollout.transitions(of: images, steps: steps)
    func repeated<Value>(_ values: [Value]) -> [Value] {
      values.flatMap { [Value](repeating: $0, count: chosenCount) }
    }
    return update.batch(
      transitions, prompts: repeated(images.map { rollout.prompts[$0] }),
      oldLogProbabilities: old, advantages: repeated(advantages))
  }

  /// One step of the optimizer.
  private func improve(_ batch: TransitionBatch<[String]>, _ metrics: inout Metrics) throws {
    let (sums, gradients) = try update.gradients(batch)
    let (policyLoss, klPenalty) = (sums["policyLoss"], sums["klPenalty"])
    let norm = try optimizer.step(
      weights.gradients(ofNetwork: gradients), of: weights.parameters,
      normLimit: configuration.gradientNormLimit, loss: policyLoss + klPenalty, "policy loss")
    weights.apply()
    let statistics = ProximalPolicyLoss.Statistics(sums)
    metrics.add("policyLoss", policyLoss)
    metrics.add("klPenalty", klPenalty)
    metrics.add("clipFraction", statistics.clipped / statistics.count)
    metrics.add("ratio", statistics.ratio / statistics.count)
    metrics.add("approximateKL", statistics.divergence / statistics.count)
    metrics.add("gradientNorm", norm)
    metrics.add("updates", 1)
  }

  /// Writes the low-rank changes as diffusers' `load_lora_weights` reads them; nothing where all
  /// weights learn.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func writeAdapters(to path: String) throws(FileError) {
    try weights.adapters?.write(to: path)
  }

  // MARK: Going on later

  /// Everything that the following iterations depend on, by name.
  ///
  /// - Throws: `EncodingError` if a reward is not finite.
  public func trainingState() throws -> TrainingState {
    var state = TrainingState()
    state.add(weights.parameters.values, under: "weights")
    state.add(optimizer.state, under: "optimizer")
    state.numbers["iteration"] = iteration
    state.numbers["imageCount"] = imageCount
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    state.texts["advantages"] = String(
      decoding: try encoder.encode(advantages.state), as: UTF8.self)
    state.texts["model"] = fingerprint
    return state
  }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ConfigurationError` or `ParameterError` if it belongs to another model;
  ///   `DecodingError` if it is damaged.
  public func restore(_ state: TrainingState) throws {
    let found = try state.text("model")
    guard found == fingerprint else {
      throw ConfigurationError.badValue(
        key: "model", found: "a model with fingerprint \(fingerprint)",
        expected: "the one that the run was started with, \(found)")
    }
    try weights.parameters.load(state.tensors(under: "weights"))
    weights.apply()
    try optimizer.restore(state.optimizer(under: "optimizer"))
    advantages.state = try JSONDecoder().decode(
      PromptAdvantages.State.self, from: Data(try state.text("advantages").utf8))
    iteration = try state.number("iteration")
    imageCount = try state.number("imageCount")
  }
}

extension ImageFineTuningConfiguration {
  /// How images are drawn: by DDIM with noise.
  fileprivate var generationSettings: GenerationSettings {
    var settings = GenerationSettings()
    settings.sampler = .ddim
    settings.eta = Float(eta)
    settings.stepCount = stepCount
    settings.guidance = Guidance(scale: Float(guidance), rescale: Float(guidanceRescale))
    settings.skippedTextLayerCount = clipSkip
    settings.isTiled = vaeTiling
    settings.batchSize = samplingBatchSize
    settings.frames = frames
    return settings
  }
}

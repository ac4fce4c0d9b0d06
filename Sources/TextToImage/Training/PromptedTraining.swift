import CaptionedMedia
import Configuration
import Diffusion
import Files
import GenerativeModels
import NeuralNetworks
import Tensors

/// How a text-to-image or text-to-video model is trained.
public struct PromptedTrainingConfiguration: Settings {
  /// How the learning rate goes on after its warm-up.
  public enum RateShape: String, Codable, Sendable, CaseIterable {
    /// Always `learningRate`.
    case constant
    /// Half a cosine down to `finalLearningRate`.
    case cosine
  }

  /// Images or clips in a batch.
  @Setting(1...65_536) public var batchSize = 32
  /// Batches to train on.
  @Setting(.positive) public var batchCount = 20_000
  /// Whether the text encoder learns too, or the U-Net alone.
  public var trainsTextEncoder = true
  /// The probability that a prompt is replaced by the empty one, which guidance needs.
  @Setting(.fraction) public var promptDropout = 0.1
  /// gamma of min-SNR weighting (Hang et al., arXiv:2303.09556); 0 for equal weights.
  @Setting(.notNegative) public var minimumSNRGamma = 0.0
  /// The highest learning rate of AdamW.
  @Setting(.notNegative) public var learningRate = 6e-4
  /// The last one, where the shape is a cosine.
  @Setting(.notNegative) public var finalLearningRate = 1e-5
  /// How it goes from one to the other.
  public var rateShape = RateShape.cosine
  /// Batches in which the learning rate rises from 0.
  @Setting(.notNegative) public var warmUpCount = 500
  /// Of AdamW.
  @Setting(.notNegative) public var weightDecay = 0.01
  /// Gradients are scaled down to this norm; 0 for no limit.
  @Setting(.notNegative) public var gradientNormLimit = 1.0
  /// How much of the moving average each batch keeps, once it has warmed up.
  @Setting(.fraction) public var emaDecay = 0.999

  /// Numbers for a small model on pixels.
  public init() {}

  /// The same for the loop.
  var options: SupervisedTraining.Options {
    let schedule: LearningRateSchedule =
      switch rateShape {
      case .constant: .constant(learningRate)
      case .cosine:
        .cosine(initial: learningRate, final: finalLearningRate, stepCount: batchCount)
      }
    var options = SupervisedTraining.Options(schedule: schedule)
    options.warmUpSteps = warmUpCount
    options.weightDecay = weightDecay
    options.maxGradientNorm = gradientNormLimit
    options.emaDecay = emaDecay
    options.emaWarmsUp = true
    return options
  }
}

/// Trains a text-to-image model.
public typealias ImageTraining = PromptedTraining<UNet2DConditionModel>

/// Trains a model of images or clips: its U-Net, and its text encoder if wanted, learn to denoise
/// what captions describe, or its latents where the model has an autoencoder.
///
/// Batch n is a function of the seed and n, so that a restored training goes on exactly. Only the
/// training's owner may use the model while it goes on.
public final class PromptedTraining<Network: PromptedNetwork> {
  /// How it learns.
  public let configuration: PromptedTrainingConfiguration
  /// What is learned; outside `withEMAWeights` it has the weights of the last batch.
  public let model: PromptedModel<Network>
  /// What it is learned from.
  public let source: any CaptionedMediaSource
  /// Batches done.
  public var batchIndex: Int { training.stepIndex }

  private let loss: DenoisingLoss<Network>
  private let training: SupervisedTraining
  private var order: PairOrder
  private let draws: RandomStream
  private let shardSize: Int
  private let communicator: any Communicator

  /// The parts that learn.
  private final class TrainedParts: Module {
    let textEncoder: CLIPTextEncoder?
    let unet: Network

    init(_ model: PromptedModel<Network>, trainsTextEncoder: Bool) {
      textEncoder = trainsTextEncoder ? model.textEncoder : nil
      unet = model.unet
    }

    func collect(into parameters: inout NamedParameters) {
      parameters.add("text_encoder", textEncoder)
      parameters.add("unet", unet)
    }
  }

  /// - Parameters:
  ///   - model: what is learned, with its first weights; the other parts of it are frozen.
  ///   - configuration: how.
  ///   - source: images, or clips for a network of clips, and captions.
  ///   - seed: decides batches, time steps, noise and dropped prompts.
  ///   - communicator: shares batches among processes.
  /// - Throws: `ConfigurationError` for settings that do not fit, `FileError` if the model is not
  ///   one of denoising steps.
  public init(
    model: PromptedModel<Network>, configuration: PromptedTrainingConfiguration,
    source: any CaptionedMediaSource, seed: UInt64,
    communicator: any Communicator = SingleProcess()
  ) throws {
    try configuration.validate()
    guard model.scheduler.kind != .flowMatchingEuler else {
      throw FileError(
        .unsupported, path: model.scheduler.path, item: "_class_name",
        problem: "is of flow matching, which Attune does not train",
        advice: "take a model with another scheduler")
    }
    for (key, side) in [("width", source.width), ("height", source.height)] {
      try ConfigurationError.require(
        side % model.reduction == 0, key, side, "a multiple of \(model.reduction)")
    }
    try ConfigurationError.require(
      (source.frames != nil) == Network.hasFrames, "kind",
      source.frames == nil ? "images" : "clips",
      "\(Network.hasFrames ? "clips" : "images") for \(Network.modelNoun)")
    self.model = model
    self.configuration = configuration
    self.source = source
    self.communicator = communicator
    shardSize = Self.shardSize(model, source)
    for (_, parameter) in model.parameters { parameter.isTrainable = false }
    let parameters =
      TrainedParts(model, trainsTextEncoder: configuration.trainsTextEncoder).parameters
    for (_, parameter) in parameters { parameter.isTrainable = true }
    loss = DenoisingLoss(model: model, configuration: configuration)
    training = SupervisedTraining(parameters, configuration.options)
    order = PairOrder(count: source.count, batchSize: configuration.batchSize, seed: seed)
    draws = RandomStream(seed: seed, purpose: "time steps, noise and dropped prompts")
  }

  /// The number of weights that learn.
  public var parameterCount: Int { training.parameters.elementCount }

  /// Trains on the next batch.
  ///
  /// - Throws: `NonFiniteGradient`, before it reaches a weight; what the source and the
  ///   communicator throw.
  public func step() throws -> SupervisedTraining.Report {
    order.nextBatch = batchIndex
    let pairs = try source.batch(next: &order)
    let tokenizer = model.tokenizer
    let batch = DenoisingLoss<Network>.Batch(
      images: pairs.images, prompts: pairs.captions.map(tokenizer.paddedTokens))
    let draws = draws.split(batchIndex)
    let denoising = self.loss
    do {
      return try training.step(
        rows: pairs.captions.count, shardSize: shardSize, laneCount: Self.laneCount,
        communicator: communicator
      ) { rows in denoising(batch, rows: rows, draws: draws) }
    } catch let error as NonFiniteGradient {
      // The parts that do not learn may be at fault.
      try NonFiniteGradient.checkWeights(model.parameters)
      throw error
    }
  }

  /// Parts of a batch, whatever the number of workers.
  private static var laneCount: Int { 16 }

  /// Images or clips that are worked on together: half a megabyte of the finest block's activations, and
  /// not so many that a usual batch leaves workers without any.
  private static func shardSize(
    _ model: PromptedModel<Network>, _ source: any CaptionedMediaSource
  ) -> Int {
    let positionCount =
      (source.frames ?? 1) * (source.width / model.reduction) * (source.height / model.reduction)
    let rowSize = positionCount * model.unet.configuration.blockChannels[0]
    return min(8, max(1, (1 << 17) / rowSize))
  }

  /// Calls `body` with the averaged weights in the model, which are those to sample and to keep.
  public func withEMAWeights<Result>(
    _ body: (PromptedModel<Network>) throws -> Result
  ) rethrows -> Result {
    try training.withEMAWeights { try body(model) }
  }

  // MARK: Going on later

  /// Everything that the following batches depend on, by name.
  public func trainingState() -> TrainingState {
    var state = training.state
    state.texts["merges"] = model.tokenizer.vocabulary.mergeLines
    return state
  }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ParameterError` if it belongs to another model.
  public func restore(_ state: TrainingState) throws {
    guard try state.text("merges") == model.tokenizer.vocabulary.mergeLines else {
      throw ConfigurationError.badValue(
        key: "model", found: "a vocabulary that is not the checkpoint's",
        expected: "the model that the run was started with")
    }
    try training.restore(state)
  }
}

extension PromptedTraining: Trainer {
  /// Batches done.
  public var iteration: Int { batchIndex }
  /// Batches to train on.
  public var iterations: Int { configuration.batchCount }

  /// Trains on the next batch.
  public func iterate() throws -> Metrics { try step().metrics }
}

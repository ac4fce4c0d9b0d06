import CaptionedImages
import Diffusion
import Files
import GenerativeModels
import NeuralNetworks
import Tensors

/// Trains a text-to-image model: its U-Net, and its text encoder if wanted, learn to denoise
/// captioned pictures, or their latents where the model has an autoencoder.
///
/// Batch n is a function of the seed and n, so that a restored training goes on exactly. Only the
/// training's owner may use the model while it goes on.
public final class ImageTraining {
  /// How it learns.
  public let configuration: ImageTrainingConfiguration
  /// What is learned; outside `withAveragedWeights` it has the weights of the last batch.
  public let model: TextToImageModel
  /// What it is learned from.
  public let source: any CaptionedImageSource
  /// Batches done.
  public private(set) var batchIndex = 0

  private let loss: DenoisingLoss
  private let parameters: NamedParameters
  private let optimizer: Adam
  private var average: MovingAverage
  private var order: PairOrder
  private let draws: RandomStream
  private let shardSize: Int
  private let communicator: any Communicator

  /// What a batch brought.
  public struct Report: Sendable {
    /// The loss.
    public let loss: Double
    /// The norm of its gradient.
    public let gradientNorm: Double
    /// The rate it was applied with.
    public let learningRate: Double
  }

  /// The parts that learn.
  private final class TrainedParts: Module {
    let textEncoder: CLIPTextEncoder?
    let unet: UNet2DConditionModel

    init(_ model: TextToImageModel, trainsTextEncoder: Bool) {
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
  ///   - source: pictures and captions.
  ///   - seed: decides batches, time steps, noise and dropped prompts.
  ///   - communicator: shares batches among processes.
  /// - Throws: `SettingError` for settings that do not fit, `FileError` if the model is not one of
  ///   denoising steps.
  public init(
    model: TextToImageModel, configuration: ImageTrainingConfiguration,
    source: any CaptionedImageSource, seed: UInt64,
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
      try SettingError.require(
        side % model.reduction == 0, key, side, "a multiple of \(model.reduction)")
    }
    self.model = model
    self.configuration = configuration
    self.source = source
    self.communicator = communicator
    shardSize = Self.shardSize(model, source)
    for (_, parameter) in model.parameters { parameter.isTrainable = false }
    parameters =
      TrainedParts(model, trainsTextEncoder: configuration.trainsTextEncoder).parameters
    for (_, parameter) in parameters { parameter.isTrainable = true }
    loss = DenoisingLoss(model: model, configuration: configuration)
    optimizer = .withDecoupledDecay(
      parameters, learningRate: Float(configuration.learningRate),
      weightDecay: Float(configuration.weightDecay))
    average = MovingAverage(
      of: parameters, decay: Float(configuration.averageDecay), warmsUp: true)
    order = PairOrder(count: source.count, batchSize: configuration.batchSize, seed: seed)
    draws = RandomStream(seed: seed, purpose: "time steps, noise and dropped prompts")
  }

  /// The number of weights that learn.
  public var parameterCount: Int { parameters.elementCount }

  /// Trains on the next batch.
  ///
  /// - Throws: `NonFiniteGradient`, before it reaches a weight; what the source and the
  ///   communicator throw.
  public func step() throws -> Report {
    order.nextBatch = batchIndex
    let pairs = try source.batch(next: &order)
    let tokenizer = model.tokenizer
    let batch = DenoisingLoss.Batch(
      images: pairs.images, prompts: pairs.captions.map(tokenizer.paddedTokens))
    let draws = draws.split(batchIndex)
    let denoising = self.loss
    let (loss, _, gradients) = try communicator.shardedValueAndGradients(
      count: pairs.captions.count, shardSize: shardSize, laneCount: Self.laneCount,
      of: parameters
    ) { rows in ShardResult(loss: denoising(batch, rows: rows, draws: draws)) }
    let rate = configuration.learningRate(at: batchIndex)
    optimizer.learningRate = Float(rate)
    let norm: Double
    do {
      norm = try optimizer.step(
        gradients, of: parameters, normLimit: configuration.gradientNormLimit, loss: loss)
    } catch {
      // The parts that do not learn may be at fault.
      try NonFiniteGradient.checkWeights(model.parameters)
      throw error
    }
    average.update(from: parameters)
    batchIndex += 1
    return Report(loss: loss, gradientNorm: norm, learningRate: rate)
  }

  /// Parts of a batch, whatever the number of workers.
  private static let laneCount = 16

  /// Pictures that are worked on together: half a megabyte of the finest block's activations, and
  /// not so many that a usual batch leaves workers without any.
  private static func shardSize(
    _ model: TextToImageModel, _ source: any CaptionedImageSource
  ) -> Int {
    let positionCount = source.width / model.reduction * (source.height / model.reduction)
    let rowSize = positionCount * model.unet.configuration.blockChannels[0]
    return min(8, max(1, (1 << 17) / rowSize))
  }

  /// Calls `body` with the averaged weights in the model, which are those to sample and to keep.
  public func withAveragedWeights<Result>(
    _ body: (TextToImageModel) throws -> Result
  ) rethrows -> Result {
    let current = parameters.map(\.parameter.value)
    let averages = average.values
    for (name, parameter) in parameters {
      // The average has a value for every parameter.
      parameter.value = averages[name]!
    }
    defer {
      for ((_, parameter), value) in zip(parameters, current) { parameter.value = value }
    }
    return try body(model)
  }

  // MARK: Going on later

  /// Everything that the following batches depend on, by name.
  public func trainingState() -> TrainingState {
    var state = TrainingState()
    state.add(parameters.values, under: "weights")
    state.add(optimizer.state, under: "optimizer")
    state.add(average.values, under: "average")
    state.numbers["batchIndex"] = batchIndex
    state.numbers["averageUpdates"] = average.updateCount
    state.texts["merges"] = model.tokenizer.vocabulary.mergeLines
    return state
  }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ParameterError` if it belongs to another model.
  public func restore(_ state: TrainingState) throws {
    guard try state.text("merges") == model.tokenizer.vocabulary.mergeLines else {
      throw SettingError(
        key: "model", found: "a vocabulary that is not the checkpoint's",
        expected: "the model that the run was started with")
    }
    try parameters.load(state.tensors(under: "weights"))
    try optimizer.restore(state.optimizer(under: "optimizer"))
    try average.restore(
      state.tensors(under: "average"), updateCount: try state.number("averageUpdates"))
    batchIndex = try state.number("batchIndex")
  }
}

extension ImageTraining: Trainer {
  /// Finished iterations.
  public var iteration: Int { batchIndex }
  /// How many there are to be.
  public var iterations: Int { configuration.batchCount }

  /// Trains on the next batch.
  public func iterate() throws -> Metrics {
    let report = try step()
    var metrics = Metrics(["loss": .mean])
    metrics.add("loss", report.loss)
    metrics["learningRate"] = report.learningRate
    metrics["gradientNorm"] = report.gradientNorm
    return metrics
  }
}

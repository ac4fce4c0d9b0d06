import Configuration
import Diffusion
import Environments
import Files
import Foundation
import NeuralNetworks
import Tensors

/// How a policy learns from demonstrations.
public struct PretrainingConfiguration: Settings {
  /// Chunks in a batch.
  @Setting(1...1_000_000) public var batchSize = 256
  /// Batches to train on.
  @Setting(.positive) public var batchCount = 20_000
  /// The first learning rate of AdamW.
  @Setting(.notNegative) public var learningRate = 1e-3
  /// The last one, along half a cosine.
  @Setting(.notNegative) public var finalLearningRate = 1e-4
  /// Batches in which the learning rate rises from 0.
  @Setting(.notNegative) public var warmUpCount = 0
  /// Of AdamW.
  @Setting(.notNegative) public var weightDecay = 1e-6
  /// Gradients are scaled down to this norm; 0 for no limit.
  @Setting(.notNegative) public var gradientNormLimit = 0.0
  /// How much of the moving average each update keeps.
  @Setting(.fraction) public var emaDecay = 0.995
  /// Batches between updates of the average.
  @Setting(.positive) public var emaInterval = 10
  /// Batches before the average starts; until then it follows the weights.
  @Setting(.notNegative) public var emaStart = 1000
  /// The weight of the entropy of a Gaussian policy or a mixture.
  @Setting(.finite) public var entropyCoefficient = 0.0

  /// The DPPO reference's numbers for Gym, in batches instead of epochs.
  public init() {}

  /// The warm-up ends before the training does.
  public func checkRelations() throws {
    try ConfigurationError.require(
      warmUpCount < batchCount, "warmUpCount", warmUpCount,
      "0 to below batchCount, which is \(batchCount)")
  }

  /// The same for the loop.
  var options: SupervisedTraining.Options {
    var options = SupervisedTraining.Options(
      schedule: .cosine(
        initial: learningRate, final: finalLearningRate, stepCount: batchCount))
    options.warmUpSteps = warmUpCount
    options.weightDecay = weightDecay
    options.maxGradientNorm = gradientNormLimit
    options.emaDecay = emaDecay
    options.emaInterval = emaInterval
    options.emaStart = emaStart
    return options
  }
}

/// Behaviour cloning: a policy network learns to denoise the chunks of demonstrations, or to make
/// them likely.
///
/// Batch n is a function of the seed and n, so that a restored training goes on exactly.
public final class Pretraining {
  /// How it learns.
  public let configuration: PretrainingConfiguration
  /// What is learned.
  public let policy: PolicyConfiguration
  /// Of all demonstrations.
  public let normalization: DemonstrationNormalization
  /// The chunks that are trained on.
  public let dataset: ChunkDataset
  /// The chunks kept for validation, if any.
  public let validation: ChunkDataset?
  /// What is not learned from, or otherwise than one might think, one sentence each.
  public private(set) var notes: [String] = []
  /// Batches done.
  public var batchIndex: Int { training.stepIndex }

  private let loss: any CloningLoss
  private let training: SupervisedTraining
  /// Of an encoder that does not learn, where images are not varied; nil otherwise.
  private let encodings: EncodingCache?
  /// Validation never varies images.
  private let validationEncodings: EncodingCache?
  private var order: BatchOrder
  private let draws: RandomStream
  private let communicator: any Communicator

  /// - Parameters:
  ///   - policy: what is learned.
  ///   - configuration: how.
  ///   - demonstrations: which demonstrations, and how they are drawn.
  ///   - seed: decides weights, batches, time steps and noise.
  ///   - registry: knows the environment.
  ///   - encoders: know what reads the observations.
  ///   - communicator: shares batches among processes.
  /// - Throws: what reading demonstrations throws, and `ConfigurationError` for settings that do
  ///   not fit.
  public convenience init(
    policy: PolicyConfiguration, configuration: PretrainingConfiguration,
    demonstrations: DemonstrationConfiguration, seed: UInt64,
    registry: EnvironmentRegistry = .standard,
    encoders: ObservationEncoderRegistry = .standard,
    communicator: any Communicator = SingleProcess()
  ) throws {
    try self.init(
      policy: policy, configuration: configuration, demonstrations: demonstrations, seed: seed,
      registry: registry, encoders: encoders, communicator: communicator, keepsEncodings: true)
  }

  /// - Parameter keepsEncodings: whether images that always give the same encoding are read once; the
  ///   same numbers come of both.
  init(
    policy: PolicyConfiguration, configuration: PretrainingConfiguration,
    demonstrations: DemonstrationConfiguration, seed: UInt64,
    registry: EnvironmentRegistry = .standard,
    encoders: ObservationEncoderRegistry = .standard,
    communicator: any Communicator = SingleProcess(), keepsEncodings: Bool
  ) throws {
    try policy.validate()
    try configuration.validate()
    try demonstrations.check(horizonSteps: policy.horizonSteps)
    self.policy = policy
    self.configuration = configuration
    self.communicator = communicator
    let all = try demonstrations.read(for: policy.environment, registry: registry)
    let normalization = DemonstrationNormalization(of: all)
    self.normalization = normalization
    var splitting = RandomStream(seed: seed, purpose: "validation split")
    let padding = ChunkPadding(
      before: demonstrations.paddingBefore, after: demonstrations.paddingAfter)
    let parts = try EpisodeSplit(
      all, chunkLength: policy.horizonSteps, padding: padding,
      validationFraction: demonstrations.validationFraction, random: &splitting)
    func dataset(_ part: Demonstrations) throws -> ChunkDataset {
      try ChunkDataset(
        part, normalization: normalization, historyLength: policy.observationSteps,
        chunkLength: policy.horizonSteps, padding: padding)
    }
    self.dataset = try dataset(parts.training)
    validation = parts.validation.lengths.isEmpty ? nil : try dataset(parts.validation)
    order = try BatchOrder(
      self.dataset, batchSize: min(configuration.batchSize, self.dataset.count),
      weighting: demonstrations.weighting,
      random: RandomStream(seed: seed, purpose: "batches"))
    draws = RandomStream(seed: seed, purpose: "time steps and noise")

    var weights = RandomStream(seed: seed, purpose: "weights")
    let parameters: NamedParameters
    (loss, parameters) = try policy.makeCloning(
      ObservationLayout(
        stepCount: policy.observationSteps, stateSize: all.stateSize, cameras: all.cameras),
      actionSize: all.actionSize, entropyCoefficient: configuration.entropyCoefficient,
      encoders: encoders, random: &weights)
    training = SupervisedTraining(parameters, configuration.options)
    let encoder = loss.encoder
    let isFrozen = keepsEncodings && !policy.encoder.trained && !all.cameras.isEmpty
    encodings =
      isFrozen && policy.encoder.augmentation.isIdentity
      ? EncodingCache(self.dataset, encoder: encoder) : nil
    validationEncodings =
      isFrozen ? validation.map { EncodingCache($0, encoder: encoder) } : nil
    // Of several files, each has its name in front already.
    let isOne = demonstrations.morePaths.isEmpty
    notes =
      all.notes.map { isOne ? "\(demonstrations.path): \($0)" : $0 }
      + parts.notes.map { "\(isOne ? demonstrations.path : "demonstrations"): \($0)" } + sizeNotes
  }

  /// What sizes do to the settings, and settings to one another.
  private var sizeNotes: [String] {
    var notes: [String] = []
    if !policy.encoder.trained, !dataset.cameras.isEmpty, !policy.encoder.augmentation.isIdentity {
      let settings = [
        ("shift", policy.encoder.shift), ("cropSize", policy.encoder.cropSize),
      ].filter { $0.1 > 0 }
      let found = settings.map { "policy.encoder.\($0.0)=\($0.1)" }.joined(separator: " and ")
      let wanted = settings.map { "policy.encoder.\($0.0)=0" }.joined(separator: " ")
      notes.append(
        "the encoder does not learn, but \(found) changes every image anew, so that it is encoded "
          + "in every batch; with \(wanted) each is encoded once")
    }
    if configuration.batchSize > dataset.count {
      notes.append(
        "batches have all \(dataset.count.of("chunk")), fewer than training.batchSize, which is "
          + "\(configuration.batchSize)")
    }
    if let validation, validation.count > Self.maxValidationCount {
      notes.append(
        "the validation loss is of \(Self.maxValidationCount) of \(validation.count.of("chunk"))")
    }
    return notes
  }

  /// The number of weights.
  public var parameterCount: Int { training.parameters.elementCount }

  /// Trains on the next batch.
  ///
  /// - Throws: `NonFiniteGradient`, before it reaches a weight; what the communicator throws.
  public func step() throws -> SupervisedTraining.Report {
    let draws = draws.split(batchIndex)
    let indices = order.next()
    let batch = encodings?.batch(indices) ?? varied(dataset.batch(indices), draws)
    let count = batch.chunks.shape[0]
    let cloning = self.loss
    // An image has as many activations as hundreds of states.
    let minShardSize = dataset.cameras.isEmpty ? Self.minShardSize : Self.minImageShardSize
    return try training.step(
      rows: count,
      shardSize: max(minShardSize, (count + Self.laneCount - 1) / Self.laneCount),
      laneCount: Self.laneCount, communicator: communicator
    ) { rows in cloning(batch, rows: rows, draws: draws) }
  }

  /// A batch whose images are shifted and cropped at random, those of each row by its own stream.
  private func varied(_ batch: ChunkBatch, _ draws: RandomStream) -> ChunkBatch {
    let rows = 0..<batch.observations.count
    return ChunkBatch(
      observations: policy.encoder.augmentation(
        batch.observations, streams: rows.map { draws.split($0, purpose: "augmentation") }),
      chunks: batch.chunks)
  }

  /// Parts of a batch, whatever the number of workers.
  private static let laneCount = 8
  /// Fewer rows leave a matrix product's tiles half empty.
  private static let minShardSize = 64
  private static let minImageShardSize = 16
  /// Chunks that the validation loss is measured on.
  private static let maxValidationCount = 4096

  /// The loss of the averaged weights on the validation chunks, or on some of them that are evenly
  /// spread, with the same time steps and noise every time; nil if there are none.
  public func validationLoss() throws -> Double? {
    guard let validation else { return nil }
    let draws = draws.split(0, purpose: "validation")
    let count = min(validation.count, Self.maxValidationCount)
    let indices = (0..<count).map { $0 * validation.count / count }
    let batch = validationEncodings?.batch(indices) ?? validation.batch(indices)
    let loss = loss
    let parts = training.withEMAWeights {
      shardedMap(count: count, shardSize: dataset.cameras.isEmpty ? 256 : 32) { rows in
        let part = loss(batch, rows: rows, draws: draws).scalar
        return Tensor(repeating: part / Float(rows.count), shape: [rows.count])
      }
    }
    return parts.elements.reduce(0) { $0 + Double($1) }
  }

  /// The policy with the averaged weights.
  public func checkpoint(origin: [String: String] = [:]) -> PolicyCheckpoint {
    PolicyCheckpoint(
      configuration: policy, normalization: normalization,
      weights: training.emaWeights.prefixed("network"), cameras: dataset.cameras, origin: origin)
  }

  // MARK: Going on later

  /// Everything that the following batches depend on, by name.
  public func trainingState() -> TrainingState { training.state }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ParameterError` if it belongs to another policy.
  public func restore(_ state: TrainingState) throws {
    try training.restore(state)
    encodings?.forget()
    validationEncodings?.forget()
    order.nextBatch = batchIndex
  }
}

extension Pretraining: Trainer {
  /// Batches done.
  public var iteration: Int { batchIndex }
  /// Batches to train on.
  public var iterations: Int { configuration.batchCount }

  /// Trains on the next batch.
  public func iterate() throws -> Metrics { try step().metrics }
}

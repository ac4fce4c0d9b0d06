import Diffusion
import Environments
import Files
import Foundation
import NeuralNetworks
import Tensors

/// Behaviour cloning: a policy network learns to denoise the chunks of demonstrations.
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
  public private(set) var batchIndex = 0

  private let network: any Module
  private let loss: any CloningLoss
  private let parameters: NamedParameters
  private let optimizer: Adam
  private let schedule: LearningRateSchedule
  private var average: MovingAverage
  private var order: BatchOrder
  private let draws: RandomStream
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

  /// - Parameters:
  ///   - policy: what is learned.
  ///   - configuration: how.
  ///   - demonstrations: which demonstrations, and how they are drawn.
  ///   - seed: decides weights, batches, time steps and noise.
  ///   - registry: knows the environment.
  ///   - communicator: shares batches among processes.
  /// - Throws: what reading demonstrations throws, and `SettingError` for settings that do not fit.
  public init(
    policy: PolicyConfiguration, configuration: PretrainingConfiguration,
    demonstrations: DemonstrationConfiguration, seed: UInt64,
    registry: EnvironmentRegistry = .standard,
    communicator: any Communicator = SingleProcess()
  ) throws {
    try policy.validate()
    try configuration.validate()
    try demonstrations.validate(predictionCount: policy.predictionCount)
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
      all, chunkLength: policy.predictionCount, padding: padding,
      validationFraction: demonstrations.validationFraction, random: &splitting)
    func dataset(_ part: Demonstrations) throws -> ChunkDataset {
      try ChunkDataset(
        part, normalization: normalization, historyLength: policy.observationCount,
        chunkLength: policy.predictionCount, padding: padding)
    }
    self.dataset = try dataset(parts.training)
    validation = parts.validation.lengths.isEmpty ? nil : try dataset(parts.validation)
    order = try BatchOrder(
      self.dataset, batchSize: min(configuration.batchSize, self.dataset.count),
      weighting: demonstrations.weighting,
      random: RandomStream(seed: seed, purpose: "batches"))
    draws = RandomStream(seed: seed, purpose: "time steps and noise")

    var weights = RandomStream(seed: seed, purpose: "weights")
    switch policy.network.kind {
    case .gaussian:
      let network = try policy.network.makeGaussian(
        actionSize: all.actionSize, predictionCount: policy.predictionCount,
        observationSize: all.stateSize, observationCount: policy.observationCount,
        random: &weights)
      loss = LikelihoodLoss(
        network: network, entropyCoefficient: Float(configuration.entropyCoefficient))
      self.network = network
    case .mlp, .unet:
      let network = try policy.network.makeDenoiser(
        actionSize: all.actionSize, predictionCount: policy.predictionCount,
        observationSize: all.stateSize, observationCount: policy.observationCount,
        random: &weights)
      loss = NoisePredictionLoss(
        network: network, schedule: .policyCosine(timeStepCount: policy.denoising.stepCount))
      self.network = network
    }
    parameters = network.parameters
    optimizer = .withDecoupledDecay(
      parameters, learningRate: Float(configuration.learningRate),
      weightDecay: Float(configuration.weightDecay))
    schedule = .cosine(
      initial: configuration.learningRate, final: configuration.finalLearningRate,
      stepCount: configuration.batchCount)
    average = MovingAverage(of: parameters, decay: Float(configuration.averageDecay))
    notes = (all.notes + parts.notes).map { "\(demonstrations.path): \($0)" } + sizeNotes
  }

  /// What sizes do to the settings.
  private var sizeNotes: [String] {
    var notes: [String] = []
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
  public var parameterCount: Int { parameters.elementCount }

  /// Trains on the next batch.
  ///
  /// - Throws: `NonFiniteGradient`, before it reaches a weight; what the communicator throws.
  public func step() throws -> Report {
    let batch = dataset.batch(order.next())
    let rate = learningRate(at: batchIndex)
    let count = batch.chunks.shape[0]
    let draws = draws.split(batchIndex)
    let cloning = self.loss
    let (loss, _, gradients) = try communicator.shardedValueAndGradients(
      count: count,
      shardSize: max(Self.leastShardSize, (count + Self.laneCount - 1) / Self.laneCount),
      laneCount: Self.laneCount, of: parameters
    ) { rows in ShardResult(loss: cloning(batch, rows: rows, draws: draws)) }
    optimizer.learningRate = Float(rate)
    let norm = try optimizer.step(
      gradients, of: parameters, normLimit: configuration.gradientNormLimit, loss: loss)
    batchIndex += 1
    updateAverage()
    return Report(loss: loss, gradientNorm: norm, learningRate: rate)
  }

  /// Parts of a batch, whatever the number of workers.
  private static let laneCount = 8
  /// Fewer rows leave a matrix product's tiles half empty.
  private static let leastShardSize = 64
  /// Chunks that the validation loss is measured on.
  private static let maxValidationCount = 4096

  private func learningRate(at batch: Int) -> Double {
    let rate = schedule.rate(atStep: batch)
    let warmUp = configuration.warmUpCount
    return batch < warmUp ? rate * Double(batch + 1) / Double(warmUp) : rate
  }

  private func updateAverage() {
    guard batchIndex % configuration.averageInterval == 0 else { return }
    if batchIndex <= configuration.averageStart {
      average.reset(to: parameters)
    } else {
      average.update(from: parameters)
    }
  }

  /// The loss of the averaged weights on the validation chunks, or on some of them that are evenly
  /// spread, with the same time steps and noise every time; nil if there are none.
  public func validationLoss() throws -> Double? {
    guard let validation else { return nil }
    let current = parameters.values
    try parameters.load(average.values)
    defer { for (name, parameter) in parameters { parameter.value = current[name]! } }
    let draws = draws.split(0, purpose: "validation")
    let count = min(validation.count, Self.maxValidationCount)
    let batch = validation.batch((0..<count).map { $0 * validation.count / count })
    let loss = loss
    let parts = shardedMap(count: count, shardSize: 256) { rows in
      let part = loss(batch, rows: rows, draws: draws).scalar
      return Tensor(repeating: part / Float(rows.count), shape: [rows.count])
    }
    return parts.elements.reduce(0) { $0 + Double($1) }
  }

  /// The policy with the averaged weights.
  public func checkpoint(origin: [String: String] = [:]) -> PolicyCheckpoint {
    PolicyCheckpoint(
      configuration: policy, normalization: normalization,
      weights: average.values.prefixed("network"), origin: origin)
  }

  // MARK: Going on later

  /// Everything that the following batches depend on, by name.
  public func trainingState() -> TrainingState {
    var state = TrainingState()
    state.add(parameters.values, under: "weights")
    state.add(optimizer.state, under: "optimizer")
    state.numbers["batchIndex"] = batchIndex
    state.numbers["averageUpdates"] = average.updateCount
    state.add(average.values, under: "average")
    return state
  }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ParameterError` if it belongs to another policy.
  public func restore(_ state: TrainingState) throws {
    try parameters.load(state.tensors(under: "weights"))
    try optimizer.restore(state.optimizer(under: "optimizer"))
    batchIndex = try state.number("batchIndex")
    try average.restore(
      state.tensors(under: "average"), updateCount: try state.number("averageUpdates"))
    order.nextBatch = batchIndex
  }
}

extension Pretraining: Trainer {
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

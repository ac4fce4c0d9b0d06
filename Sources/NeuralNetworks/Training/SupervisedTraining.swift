import Tensors

/// The loop that all supervised trainings share: AdamW along a schedule of learning rates,
/// gradients limited by their norm, an exponential moving average (EMA) of the weights, and a state
/// to go on from with the same bits.
///
/// ```swift
/// var options = SupervisedTraining.Options(schedule: .constant(1e-3))
/// options.emaDecay = 0.99
/// let training = SupervisedTraining(network.parameters, options)
/// for batch in batches {
///   let report = try training.step(rows: batch.count, shardSize: 64) { rows in
///     Losses.meanSquaredError(network(batch.inputs.slice(rows)), batch.targets.slice(rows))
///       * (Float(rows.count) / Float(batch.count))
///   }
///   print(report.loss)
/// }
/// ```
public final class SupervisedTraining {
  /// How weights follow the gradients of a loss.
  public struct Options: Sendable {
    /// The learning rate as a function of steps.
    public var schedule: LearningRateSchedule
    /// Steps in which the rate rises linearly to that of the schedule.
    public var warmUpSteps = 0
    /// AdamW's decay of second moments.
    public var beta2: Float = 0.999
    /// AdamW's decay of weights.
    public var weightDecay = 0.01
    /// Gradients are scaled down to this norm; 0 for no limit.
    public var maxGradientNorm = 0.0
    /// How much of the average an update keeps.
    public var emaDecay = 0.999
    /// Whether the average forgets faster at first, see `ExponentialMovingAverage`.
    public var emaWarmsUp = false
    /// Steps between updates of the average.
    public var emaInterval = 1
    /// Steps until the average starts; it is the weights themselves before.
    public var emaStart = 0

    /// PyTorch's AdamW along a schedule.
    public init(schedule: LearningRateSchedule) { self.schedule = schedule }

    /// The rate of a step: that of the schedule, less while it warms up.
    public func learningRate(atStep step: Int) -> Double {
      let rate = schedule.rate(atStep: step)
      return step < warmUpSteps ? rate * Double(step + 1) / Double(warmUpSteps) : rate
    }
  }

  /// What a step brought.
  public struct Report: Sendable, Equatable {
    /// The loss before the step.
    public let loss: Double
    /// The norm of its gradient, before it was limited.
    public let gradientNorm: Double
    /// The rate of the step.
    public let learningRate: Double

    /// As a trainer's metrics: the loss is a mean over steps, the others are the last ones.
    public var metrics: Metrics {
      var metrics = Metrics(["loss": .mean])
      metrics.add("loss", loss)
      metrics["learningRate"] = learningRate
      metrics["gradientNorm"] = gradientNorm
      return metrics
    }
  }

  /// What is trained.
  public let parameters: NamedParameters
  /// Steps done.
  public private(set) var stepIndex = 0

  private let options: Options
  private let optimizer: Adam
  private var average: ExponentialMovingAverage
  private let constrain: () -> Void

  /// A training from the present weights.
  ///
  /// - Parameters:
  ///   - parameters: what is trained.
  ///   - options: how.
  ///   - constrain: brings weights back to where they may be, after each step and before the
  ///     average.
  public init(
    _ parameters: NamedParameters, _ options: Options, constrain: @escaping () -> Void = {}
  ) {
    self.parameters = parameters
    self.options = options
    self.constrain = constrain
    optimizer = .withDecoupledDecay(
      parameters, beta2: options.beta2, weightDecay: Float(options.weightDecay))
    average = ExponentialMovingAverage(
      of: parameters, decay: Float(options.emaDecay), warmsUp: options.emaWarmsUp)
  }

  /// The rate of the next step.
  public var learningRate: Double { options.learningRate(atStep: stepIndex) }

  /// Learns from a batch that all workers, and all ranks, work on.
  ///
  /// - Parameters:
  ///   - count: `B`, the rows of the batch.
  ///   - shardSize: rows that one worker takes at a time.
  ///   - laneCount: partial sums, whatever the number of workers and ranks; a power of two.
  ///   - communicator: sums over ranks.
  ///   - loss: that of some rows, divided by `B`.
  /// - Throws: `NonFiniteGradient`, before it reaches a weight; what the communicator throws.
  public func step(
    rows count: Int, shardSize: Int, laneCount: Int = 8,
    communicator: any Communicator = SingleProcess(), loss: @Sendable (Range<Int>) -> Tensor
  ) throws -> Report {
    let (value, _, gradients) = try communicator.shardedValueAndGradients(
      count: count, shardSize: shardSize, laneCount: laneCount, of: parameters
    ) { rows in ShardResult(loss: loss(rows)) }
    return try step(by: gradients, loss: value)
  }

  /// Takes a step by the gradients of a loss.
  ///
  /// - Throws: `NonFiniteGradient`, before it reaches a weight.
  public func step(by gradients: Gradients, loss: Double) throws(NonFiniteGradient) -> Report {
    let rate = learningRate
    optimizer.learningRate = Float(rate)
    let norm = try optimizer.step(
      gradients, of: parameters, normLimit: options.maxGradientNorm, loss: loss)
    constrain()
    stepIndex += 1
    updateEMA()
    return Report(loss: loss, gradientNorm: norm, learningRate: rate)
  }

  private func updateEMA() {
    guard stepIndex.isMultiple(of: options.emaInterval) else { return }
    if stepIndex <= options.emaStart {
      average.reset(to: parameters)
    } else {
      average.update(from: parameters)
    }
  }

  /// The averaged weights by name.
  public var emaWeights: [String: Tensor] { average.values }

  /// Calls `body` with the averaged weights in the network, which are those to measure and to keep.
  public func withEMAWeights<Result>(_ body: () throws -> Result) rethrows -> Result {
    let current = parameters.map(\.parameter.value)
    let averages = average.values
    for (name, parameter) in parameters {
      // The average has a value for every parameter.
      parameter.value = averages[name]!
    }
    defer {
      for ((_, parameter), value) in zip(parameters, current) { parameter.value = value }
    }
    return try body()
  }

  // MARK: Going on later

  /// Everything that the following steps depend on, but for the batches.
  public var state: TrainingState {
    var state = TrainingState()
    state.add(parameters.values, under: "weights")
    state.add(optimizer.state, under: "optimizer")
    state.add(average.values, under: "average")
    state.numbers["batchIndex"] = stepIndex
    state.numbers["emaUpdates"] = average.updateCount
    return state
  }

  /// Goes on from a saved state.
  ///
  /// - Throws: `ParameterError` if it belongs to another network.
  public func restore(_ state: TrainingState) throws {
    try parameters.load(state.tensors(under: "weights"))
    try optimizer.restore(state.optimizer(under: "optimizer"))
    try average.restore(
      state.tensors(under: "average"), updateCount: try state.number("emaUpdates"))
    stepIndex = try state.number("batchIndex")
  }
}

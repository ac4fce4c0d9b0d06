import NeuralNetworks
import Tensors

/// The part that all trainings share: AdamW along a schedule, limited gradients, averaged weights.
final class WeightTraining {
  let settings: OptimizationSettings
  private(set) var stepIndex = 0
  private let parameters: NamedParameters
  private let optimizer: Adam
  private var average: MovingAverage
  private let schedule: LearningRateSchedule

  init(_ parameters: NamedParameters, _ settings: OptimizationSettings) {
    self.parameters = parameters
    self.settings = settings
    optimizer = Adam.withDecoupledDecay(
      parameters, beta2: 0.98, weightDecay: Float(settings.weightDecay))
    average = MovingAverage(of: parameters, decay: Float(settings.averageDecay), warmsUp: true)
    schedule = .warmRestarts(
      .init(
        maximum: settings.learningRate, minimum: settings.finalLearningRate,
        firstCycleStepCount: settings.stepCount + 1, warmUpStepCount: settings.warmUpStepCount))
  }

  /// Takes a step by the gradients of a loss.
  func apply(
    _ gradients: Gradients, loss: Double
  ) throws(NonFiniteGradient) -> (rate: Double, norm: Double) {
    let rate = schedule.rate(atStep: stepIndex)
    optimizer.learningRate = Float(rate)
    let norm = try optimizer.step(
      gradients, of: parameters, normLimit: settings.gradientNormLimit, loss: loss)
    stepIndex += 1
    return (rate, norm)
  }

  /// Follows the weights after a step.
  func updateAverage() { average.update(from: parameters) }

  /// The averaged weights by name.
  var averagedWeights: [String: Tensor] { average.values }

  private static let stepKey = "step"
  private static let updateKey = "averageUpdates"
  private static let optimizerKey = "optimizerSteps"

  var state: TrainingState {
    var state = TrainingState()
    state.add(parameters.values, under: "weights")
    state.add(average.values, under: "average")
    state.add(optimizer.state.moments, under: "moments")
    state.numbers[Self.stepKey] = stepIndex
    state.numbers[Self.updateKey] = average.updateCount
    state.numbers[Self.optimizerKey] = optimizer.state.stepCount
    return state
  }

  func restore(_ state: TrainingState) throws {
    try average.restore(
      state.tensors(under: "average"), updateCount: try state.number(Self.updateKey))
    try optimizer.restore(
      OptimizerState(
        stepCount: try state.number(Self.optimizerKey), moments: state.tensors(under: "moments")))
    stepIndex = try state.number(Self.stepKey)
    try parameters.load(state.tensors(under: "weights"))
  }
}

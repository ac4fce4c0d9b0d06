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

  /// Takes a step.
  func apply(_ gradients: Gradients) throws(NonFiniteTraining) -> (rate: Double, norm: Double) {
    let rate = schedule.rate(atStep: stepIndex)
    let (scale, norm) = gradients.clippingScale(
      maximumNorm: settings.gradientNormLimit, parameters: parameters)
    guard norm.isFinite else { throw NonFiniteTraining(step: stepIndex + 1) }
    optimizer.learningRate = Float(rate)
    optimizer.step(gradients, gradientScale: scale)
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

  var state: RewardTrainingState {
    var tensors: [String: Tensor] = [:]
    func add(_ values: [String: Tensor], _ prefix: String) {
      for (name, value) in values { tensors[prefix + name] = value }
    }
    add(parameters.values, "weights.")
    add(average.values, "average.")
    add(optimizer.state.moments, "moments.")
    return RewardTrainingState(
      tensors: tensors,
      numbers: [
        Self.stepKey: stepIndex, Self.updateKey: average.updateCount,
        Self.optimizerKey: optimizer.state.stepCount,
      ])
  }

  func restore(_ state: RewardTrainingState) throws {
    func values(_ prefix: String) -> [String: Tensor] {
      var found: [String: Tensor] = [:]
      for (name, value) in state.tensors where name.hasPrefix(prefix) {
        found[String(name.dropFirst(prefix.count))] = value
      }
      return found
    }
    func number(_ key: String) throws(ParameterError) -> Int {
      guard let number = state.numbers[key] else {
        throw ParameterError.missing(name: key, nearest: nil)
      }
      return number
    }
    try average.restore(values("average."), updateCount: try number(Self.updateKey))
    try optimizer.restore(
      OptimizerState(stepCount: try number(Self.optimizerKey), moments: values("moments.")))
    stepIndex = try number(Self.stepKey)
    try parameters.load(values("weights."))
  }
}

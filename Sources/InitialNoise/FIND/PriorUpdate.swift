import Diffusion
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// One step of the paper's update: PPO's clipped objective on the one action of the decision
/// process, the initial noise, with a penalty to N(0, I); along the natural gradient.
struct PriorUpdate {
  let configuration: FINDConfiguration
  private let lowPass: LowPass?

  init(shape: [Int], configuration: FINDConfiguration) {
    self.configuration = configuration
    lowPass = LowPass(shape: shape, share: configuration.frequencyShare)
  }

  /// What a step brought.
  struct Result {
    var loss: Double
    var statistics: ProximalPolicyLoss.Statistics
    var gradientNorm: Double
  }

  /// The loss of a prior on a history:
  /// -w mean min(rho r*, clip(rho, 1 - c, 1 + c) r*) + w_prior KL(pi || N(0, I)).
  func loss(
    _ prior: NoisePrior, _ history: [NoiseHistory.Entry]
  ) -> (loss: Tensor, statistics: ProximalPolicyLoss.Statistics) {
    let noise = Tensor.concatenated(history.map(\.noise), along: 0)  // [M, ...]
    let old = Tensor.concatenated(history.map(\.logDensities), along: 0)
    let reduced = configuration.reduction(prior.logDensity(of: noise))  // [M] or [M, ...]
    let perNoise = reduced.count / noise.shape[0]
    let advantages = history.flatMap(\.advantages).flatMap {
      repeatElement($0, count: perNoise)
    }
    let policy = ProximalPolicyLoss(
      logProbabilities: reduced.flattened(), oldLogProbabilities: old.flattened(),
      advantages: Tensor(advantages),
      clipRanges: Tensor(repeating: Float(configuration.clipRange), shape: [reduced.count]))
    let reward = policy.sum * (Float(configuration.rewardWeight) / Float(reduced.count))
    let penalty = reducedPenalty(prior) * Float(configuration.priorPenaltyWeight)
    return (reward + penalty, policy.statistics)
  }

  /// Moves the prior.
  func step(_ parameters: LearnedPrior, _ history: [NoiseHistory.Entry]) -> Result {
    var statistics = ProximalPolicyLoss.Statistics()
    let (value, gradients) = valueAndGradients {
      let result = loss(parameters.tracked, history)
      statistics = result.statistics
      return result.loss
    }
    // The Fisher information of a Gaussian is 1 / sigma^2 for its mean and 2 / sigma^2 for its
    // deviation. A reduction by the mean divides gradients by the number of elements, which is put
    // right here.
    let elementCount = Float(parameters.mean.value.count)
    let scale = configuration.reduction == .sum ? 1 : elementCount
    let variance = parameters.deviation.value.squared()
    let length = Float(configuration.stepSize) * scale
    var squaredNorm = 0.0
    if let gradient = gradients[parameters.mean.leaf] {
      squaredNorm += (lowPass.map { $0(gradient) } ?? gradient).squaredNorm()
      // Projected last: a variance that differs between places would bring other frequencies back.
      let step = variance * gradient
      parameters.mean.value = parameters.mean.value - (lowPass.map { $0(step) } ?? step) * length
    }
    if let gradient = gradients[parameters.deviation.leaf] {
      squaredNorm += gradient.squaredNorm()
      parameters.deviation.value = parameters.deviation.value - variance * gradient * (length / 2)
      parameters.holdDeviation()
    }
    if configuration.keepsLength { parameters.keepLength() }
    return Result(
      loss: Double(value.scalar), statistics: statistics,
      gradientNorm: squaredNorm.squareRoot())
  }

  /// The penalty on the scale of the reduced log-densities.
  private func reducedPenalty(_ prior: NoisePrior) -> Tensor {
    let elements =
      switch configuration.priorPenalty {
      case .divergence: prior.elementDivergence
      case .squared: prior.mean.squared() + (prior.standardDeviation - 1).squared()
      }
    return configuration.reduction == .sum ? elements.sum() : elements.mean()
  }
}

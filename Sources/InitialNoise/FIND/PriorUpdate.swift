import Diffusion
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// One step of the paper's update: PPO's clipped objective on the one action of the decision
/// process, the initial noise, with a penalty to N(0, I); along the natural gradient.
struct PriorUpdate {
  let process: DenoisingProcess
  let configuration: FINDConfiguration
  private let lowPass: LowPass?

  init(process: DenoisingProcess, shape: [Int], configuration: FINDConfiguration) {
    self.process = process
    self.configuration = configuration
    lowPass = LowPass(
      shape: shape, fraction: configuration.frequencyFraction,
      timeFraction: configuration.timeFrequencyFraction)
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
    let reduced = configuration.reduction(
      process.withPrior(prior).logProbability(ofFirstAction: noise))  // [M] or [M, ...]
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
    // standard deviation. A reduction by the mean divides gradients by the number of elements,
    // which is put right here.
    let elementCount = Float(parameters.mean.value.count)
    let scale = configuration.reduction == .sum ? 1 : elementCount
    let variance = parameters.std.value.squared()
    let length = Float(configuration.stepSize) * scale
    var squaredNorm = 0.0
    if let gradient = gradients[parameters.mean.leaf] {
      squaredNorm += (lowPass.map { $0(gradient) } ?? gradient).squaredNorm()
      // Projected last: a variance that differs between places would bring other frequencies back.
      let step = variance * gradient
      parameters.mean.value = parameters.mean.value - (lowPass.map { $0(step) } ?? step) * length
    }
    if let gradient = gradients[parameters.std.leaf] {
      squaredNorm += gradient.squaredNorm()
      parameters.std.value = parameters.std.value - variance * gradient * (length / 2)
      parameters.clampStd()
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

/// The moments of a prior as parameters: `mean`, `std`.
final class LearnedPrior: Module {
  let mean: Parameter
  let std: Parameter

  init(shape: [Int], learnsStd: Bool) {
    mean = Parameter(.zeros(shape))
    std = Parameter(.ones(shape))
    std.isTrainable = learnsStd
  }

  /// The distribution, tracked if gradients are being recorded.
  var tracked: NoisePrior {
    NoisePrior(mean: mean.tensor, standardDeviation: std.tensor)
  }

  /// The distribution as it is now.
  var prior: NoisePrior {
    get { NoisePrior(mean: mean.value, standardDeviation: std.value) }
    set {
      mean.value = newValue.mean
      std.value = newValue.standardDeviation
    }
  }

  /// Keeps sigma a standard deviation.
  func clampStd() {
    if std.isTrainable {
      std.value = std.value.clamped(
        to: FINDConfiguration.minStd, .greatestFiniteMagnitude)
    }
  }

  /// Scales sigma so that the mean square length of the noise is that of N(0, I).
  func keepLength() {
    let variance = std.value.squaredNorm()
    let left = Double(mean.value.count) - mean.value.squaredNorm()
    std.value =
      (std.value * Float((max(0, left) / variance).squareRoot())).clamped(
        to: FINDConfiguration.minStd, .greatestFiniteMagnitude)
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("mean", mean)
    parameters.add("std", std)
  }
}

/// The noise of recent iterations with what became of it: each keeps its own reward, its density
/// under the distribution that drew it, and its advantage.
struct NoiseHistory {
  /// One iteration's.
  struct Entry {
    /// `[N, ...]`
    var noise: Tensor
    /// The log-densities under the prior that drew the noise, reduced: `[N]`, or `[N, ...]`.
    var logDensities: Tensor
    var rewards: [Float]
    var advantages: [Float]
  }

  private(set) var entries: [Entry] = []
  /// The maximum number of iterations.
  let length: Int

  init(length: Int) { self.length = length }

  /// Adds an iteration, and drops the stale.
  mutating func append(_ entry: Entry) {
    entries.append(entry)
    if entries.count > length { entries.removeFirst(entries.count - length) }
  }

  /// Sets the advantages of the newest iteration.
  mutating func calibrateLast(_ advantages: [Float]) {
    entries[entries.count - 1].advantages = advantages
  }

  /// All rewards.
  var rewards: [Float] { entries.flatMap(\.rewards) }

  func store(in state: inout TrainingState) {
    state.numbers["historyCount"] = entries.count
    for (index, entry) in entries.enumerated() {
      state.add(
        [
          "noise": entry.noise, "logDensities": entry.logDensities,
          "rewards": Tensor(entry.rewards), "advantages": Tensor(entry.advantages),
        ], under: "history.\(index)")
    }
  }

  mutating func restore(_ state: TrainingState) throws {
    entries = try (0..<state.number("historyCount")).map { index in
      let tensors = state.tensors(under: "history.\(index)")
      func tensor(_ name: String) throws -> Tensor {
        guard let tensor = tensors[name] else {
          throw ParameterError.missing(name: "history.\(index).\(name)", nearest: nil)
        }
        return tensor
      }
      return Entry(
        noise: try tensor("noise"), logDensities: try tensor("logDensities"),
        rewards: try tensor("rewards").elements, advantages: try tensor("advantages").elements)
    }
  }
}

import Diffusion
import Foundation
import NeuralNetworks
import Tensors

/// Makes advantages of rewards: r* = (r - g) / scale.
enum RewardCalibration {
  /// Each reward less the mean of the others.
  static func leaveOneOut(_ rewards: [Float]) -> [Float] {
    guard rewards.count > 1 else { return rewards.map { _ in 0 } }
    let mean = rewards.reduce(0.0) { $0 + Double($1) } / Double(rewards.count)
    let factor = Double(rewards.count) / Double(rewards.count - 1)
    return rewards.map { Float((Double($0) - mean) * factor) }
  }

  /// Ranks with mean 0 and standard deviation about 1; equal rewards share their rank.
  static func ranks(_ rewards: [Float]) -> [Float] {
    let sorted = rewards.sorted()
    let count = Float(rewards.count)
    return rewards.map { reward in
      let below = Float(sorted.count { $0 < reward })
      let equal = Float(sorted.count { $0 == reward })
      return ((below + equal / 2) / count - 0.5) * Float(12).squareRoot()
    }
  }

  /// The standard deviation of rewards; nil if they are too few, or equal as far as can be told.
  static func std(of rewards: [Float]) -> Float? {
    guard rewards.count > 1 else { return nil }
    let mean = rewards.reduce(0.0) { $0 + Double($1) } / Double(rewards.count)
    let squares = rewards.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    let std = (squares / Double(rewards.count - 1)).squareRoot()
    return std > 1e-6 * max(1e-6, abs(mean)) ? Float(std) : nil
  }
}

/// The calibration network of the paper: what reward the present distribution is expected to bring,
/// from [mu, sigma, the prompt's embedding] by three hidden layers of 256 (arXiv:2407.19453,
/// section 3.3).
final class LearnedBaseline {
  private let network: MLP
  private let optimizer: Adam
  private let promptEmbedding: Tensor  // [E]

  /// - Parameters:
  ///   - elementCount: of the noise.
  ///   - promptEmbedding: `[E]`
  ///   - learningRate: of AdamW.
  ///   - random: draws the first weights.
  init(
    elementCount: Int, promptEmbedding: Tensor, learningRate: Double,
    random: inout RandomStream
  ) {
    self.promptEmbedding = promptEmbedding
    network = MLP(
      sizes: [2 * elementCount + promptEmbedding.count, 256, 256, 256, 1], activation: .relu,
      random: &random)
    optimizer = .withDecoupledDecay(network.parameters, learningRate: Float(learningRate))
  }

  /// The network's parameters, for goldens.
  var parameters: NamedParameters { network.parameters }

  /// The expected reward under a prior.
  func value(of prior: NoisePrior) -> Float { network(input(prior)).scalar }

  /// Takes steps towards rewards that a prior brought, by their mean: the squared error of one
  /// prediction for several rewards has its gradient.
  ///
  /// - Returns: the squared error before the first step.
  @discardableResult
  func fit(_ prior: NoisePrior, reward: Float, passCount: Int) -> Float {
    let input = input(prior)
    var first: Float?
    for _ in 0..<passCount {
      let (error, gradients) = valueAndGradients {
        (network(input) - reward).squared().sum()
      }
      first = first ?? error.scalar
      optimizer.step(gradients, gradientScale: 1)
    }
    return first ?? 0
  }

  /// `[1, 2 D + E]`, channels first as PyTorch has them.
  private func input(_ prior: NoisePrior) -> Tensor {
    func flat(_ field: Tensor) -> Tensor {
      let last = field.rank - 1
      return field.detached().transposed([last] + Array(0..<last)).flattened()
    }
    return Tensor.concatenated(
      [flat(prior.mean), flat(prior.standardDeviation), promptEmbedding.flattened()], along: 0
    ).expandingDimension(at: 0)
  }

  func store(in state: inout TrainingState) {
    state.add(network.parameters.values, under: "baseline")
    state.add(optimizer.state, under: "baselineOptimizer")
  }

  func restore(_ state: TrainingState) throws {
    try network.parameters.load(state.tensors(under: "baseline"))
    try optimizer.restore(state.optimizer(under: "baselineOptimizer"))
  }
}

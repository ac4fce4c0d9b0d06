import Diffusion
import NeuralNetworks
import Tensors

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

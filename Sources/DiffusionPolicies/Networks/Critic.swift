import NeuralNetworks
import Tensors

/// The value of a state from its observations alone; weights are named as in the DPPO reference.
public final class Critic: Module {
  private let network: ConfiguredMLP

  /// - Parameters:
  ///   - conditionSize: `To Do`
  ///   - hiddenSizes: the hidden layers.
  ///   - activation: between layers.
  ///   - isResidual: whether hidden layers are residual blocks.
  ///   - usesLayerNorm: normalizes hidden layers.
  ///   - random: draws the first weights.
  public init(
    conditionSize: Int, hiddenSizes: [Int] = [256, 256, 256], activation: Activation = .mish,
    isResidual: Bool = true, usesLayerNorm: Bool = false, random: inout some RandomSource
  ) {
    network = ConfiguredMLP(
      sizes: [conditionSize] + hiddenSizes + [1], activation: activation,
      isResidual: isResidual, usesLayerNorm: usesLayerNorm, random: &random)
  }

  /// `[B, To, Do]` to `[B]`.
  public func callAsFunction(_ observations: Tensor) -> Tensor {
    network(observations.flattened(from: 1)).reshaped(to: [observations.shape[0]])
  }

  /// `Q1.*`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("Q1", network.module)
  }
}

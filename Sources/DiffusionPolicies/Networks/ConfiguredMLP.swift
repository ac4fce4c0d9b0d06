import NeuralNetworks
import Tensors

/// A plain or a residual MLP, as configurations choose.
enum ConfiguredMLP: Sendable {
  case plain(MLP)
  case residual(ResidualMLP)

  init(
    sizes: [Int], activation: Activation, outputActivation: Activation = .identity,
    isResidual: Bool, usesLayerNorm: Bool = false, usesFinalLayerNorm: Bool = false,
    random: inout some RandomSource
  ) {
    self =
      isResidual
      ? .residual(
        ResidualMLP(
          sizes: sizes, activation: activation, outputActivation: outputActivation,
          usesLayerNorm: usesLayerNorm, usesFinalLayerNorm: usesFinalLayerNorm, random: &random))
      : .plain(
        MLP(
          sizes: sizes, activation: activation, outputActivation: outputActivation,
          usesLayerNorm: usesLayerNorm, usesFinalLayerNorm: usesFinalLayerNorm, random: &random))
  }

  var module: any Module {
    switch self {
    case .plain(let network): network
    case .residual(let network): network
    }
  }

  var firstLinear: Linear {
    switch self {
    case .plain(let network): network.firstLinear
    case .residual(let network): network.firstLinear
    }
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .plain(let network): network(x)
    case .residual(let network): network(x)
    }
  }

  func continuing(fromFirstSum sum: Tensor) -> Tensor {
    switch self {
    case .plain(let network): network.continuing(fromFirstSum: sum)
    case .residual(let network): network.continuing(fromFirstSum: sum)
    }
  }
}

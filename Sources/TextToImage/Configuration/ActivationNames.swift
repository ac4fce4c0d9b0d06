import NeuralNetworks
import Tensors

/// Activations by the names that diffusers and transformers give them.
package enum ActivationName: String, CaseIterable {
  case silu, swish, mish, gelu, relu
  case geluQuick = "quick_gelu"
  case geluNew = "gelu_new"

  package var activation: Activation {
    switch self {
    case .silu, .swish: .silu
    case .mish: .mish
    case .gelu: .gelu
    case .relu: .relu
    case .geluQuick: .geluQuick
    case .geluNew: .geluTanh
    }
  }

  /// The name of an activation that has one.
  package init?(_ activation: Activation) {
    guard let name = ActivationName.allCases.first(where: { $0.activation == activation }) else {
      return nil
    }
    self = name
  }
}

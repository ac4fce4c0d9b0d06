import NeuralNetworks
import Tensors

/// Makes a block's feature modulation from [time embedding, observations]: three linear layers with
/// activations between them, or an activation and one linear layer.
final class ConditionEncoder: Module {
  let layers: [Linear]
  let activation: Activation

  var isDeep: Bool { layers.count > 1 }

  init(
    inputSize: Int, outputSize: Int, isDeep: Bool, activation: Activation,
    random: inout some RandomSource
  ) {
    var layers = [Linear(inputSize: inputSize, outputSize: outputSize, random: &random)]
    for _ in 0..<(isDeep ? 2 : 0) {
      layers.append(Linear(inputSize: outputSize, outputSize: outputSize, random: &random))
    }
    self.layers = layers
    self.activation = activation
  }

  /// `[B, inputSize]` to `[B, outputSize]`.
  func callAsFunction(_ condition: Tensor) -> Tensor {
    continuing(fromFirstSum: layers[0](entering(condition)))
  }

  /// The same with the observations' part of the first layer computed beforehand.
  ///
  /// - Parameters:
  ///   - observations: `[B, Dc]`, what follows the time embedding.
  ///   - timeSize: the width of the time embedding.
  /// - Returns: a function of the time embedding, `[1, timeSize]` or `[B, timeSize]`.
  func bound(to observations: Tensor, timeSize: Int) -> (Tensor) -> Tensor {
    // [B, outputSize]
    let contribution = layers[0].contribution(ofInputsFrom: timeSize, entering(observations))
    let timeWeight = layers[0].weight(forInputs: 0..<timeSize)
    return { [self] time in
      continuing(fromFirstSum: contribution + entering(time).linear(weight: timeWeight))
    }
  }

  private func entering(_ x: Tensor) -> Tensor { isDeep ? x : x.applying(activation) }

  private func continuing(fromFirstSum sum: Tensor) -> Tensor {
    guard isDeep else { return sum }
    return layers[2](layers[1](sum.applying(activation), activation: activation))
  }

  /// `0`, `2` and `4`, or `1`: the reference's list also numbers the activations.
  func collect(into parameters: inout NamedParameters) {
    for (index, layer) in layers.enumerated() {
      parameters.add(isDeep ? "\(2 * index)" : "1", layer)
    }
  }
}

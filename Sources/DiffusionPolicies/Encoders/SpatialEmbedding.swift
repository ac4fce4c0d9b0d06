import NeuralNetworks
import Tensors

/// Compresses a camera's patches to some features, each of which sees all places of the image and
/// the state: the reference's `SpatialEmb` (from IBRL).
///
/// Each of the `D` numbers of a patch is taken over all places, with the state behind it, through one
/// linear layer, norm and ReLU, and the results are summed with learned weights.
final class SpatialEmbedding: Module {
  private let projection: Linear
  private let norm: LayerNorm
  private let weight: Parameter
  private let patchCount: Int

  /// - Parameters:
  ///   - patchCount: `P`
  ///   - width: `D`, the numbers of a patch.
  ///   - stateSize: `To Do`
  ///   - featureCount: `S`
  ///   - random: draws the first weights.
  init(
    patchCount: Int, width: Int, stateSize: Int, featureCount: Int,
    random: inout some RandomSource
  ) {
    self.patchCount = patchCount
    projection = Linear(
      inputSize: patchCount + stateSize, outputSize: featureCount, random: &random)
    norm = LayerNorm(size: featureCount)
    weight = Parameter(Initializers.normal([1, width, featureCount], random: &random))
  }

  /// Patches `[B, P, D]` and states `[B, To Do]` to `[B, S]`.
  func callAsFunction(_ patches: Tensor, state: Tensor) -> Tensor {
    // The state is the same behind each of the D rows: its part of the sum is computed once.
    let fromState = projection.contribution(ofInputsFrom: patchCount, state)
    let sum =
      patches.transposed([0, 2, 1]).linear(weight: projection.weight(forInputs: 0..<patchCount))
      + fromState.expandingDimension(at: 1)  // [B, D, S]
    return (weight.tensor * norm(sum).relu()).sum(along: 1)
  }

  /// `weight`, `input_proj.0.*` and `input_proj.1.*`
  func collect(into parameters: inout NamedParameters) {
    parameters.add("weight", weight)
    parameters.add("input_proj.0", projection)
    parameters.add("input_proj.1", norm)
  }
}

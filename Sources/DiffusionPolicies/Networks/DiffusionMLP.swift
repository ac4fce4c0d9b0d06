import Diffusion
import NeuralNetworks
import Tensors

/// DPPO's MLP policy: [chunk, time embedding, observations], flattened, through a plain or
/// residual MLP. Weights are named as in the reference.
public final class DiffusionMLP: ChunkDenoiser {
  let timeEmbedding: TimeEmbedding
  let observationEncoder: MLP?
  let mean: ConfiguredMLP
  private let chunkSize: Int

  /// - Parameters:
  ///   - actionSize: `Da`
  ///   - horizonSteps: `Tp`
  ///   - conditionSize: `Dc`
  ///   - hiddenSizes: the hidden layers; of one width and of odd number if residual.
  ///   - activation: between layers.
  ///   - isResidual: whether hidden layers are residual blocks.
  ///   - usesLayerNorm: normalizes hidden layers.
  ///   - timeEmbeddingSize: the width of the time embedding.
  ///   - observationSizes: the layers of an MLP on the observations; empty for none.
  ///   - random: draws the first weights.
  public init(
    actionSize: Int, horizonSteps: Int, conditionSize: Int, hiddenSizes: [Int],
    activation: Activation = .mish, isResidual: Bool = false, usesLayerNorm: Bool = false,
    timeEmbeddingSize: Int = 16, observationSizes: [Int] = [], random: inout some RandomSource
  ) {
    chunkSize = actionSize * horizonSteps
    timeEmbedding = TimeEmbedding(
      size: timeEmbeddingSize, hiddenSize: 2 * timeEmbeddingSize, random: &random)
    observationEncoder =
      observationSizes.isEmpty
      ? nil
      : MLP(sizes: [conditionSize] + observationSizes, activation: activation, random: &random)
    let inputSize = chunkSize + timeEmbeddingSize + (observationSizes.last ?? conditionSize)
    mean = ConfiguredMLP(
      sizes: [inputSize] + hiddenSizes + [chunkSize], activation: activation,
      isResidual: isResidual, usesLayerNorm: usesLayerNorm, random: &random)
  }

  /// `[B, Tp, Da]` to the same shape.
  public func callAsFunction(
    _ chunks: Tensor, timeSteps: Broadcast<Float>, condition: Tensor
  ) -> Tensor {
    let condition = encoded(condition)
    let times = timeEmbedding.rows(of: timeSteps)
      .broadcast(to: [chunks.shape[0], timeEmbedding.size])
    let input = Tensor.concatenated([chunks.flattened(from: 1), times, condition], along: 1)
    return mean(input).reshaped(to: chunks.shape)
  }

  /// The parts of observations and times in the first layer are computed once.
  public func bound(to condition: Tensor, times: [Float]) -> Denoiser {
    let first = mean.firstLinear
    let conditionStart = chunkSize + timeEmbedding.size
    let conditionContribution = first.contribution(
      ofInputsFrom: conditionStart, encoded(condition))  // [B, H]
    let chunkWeight = first.weight(forInputs: 0..<chunkSize)
    let timeWeight = first.weight(forInputs: chunkSize..<conditionStart)
    let timeContributions = timeEmbedding.bound(to: times) { $0.linear(weight: timeWeight) }
    return { [self] chunks, timeSteps in
      let timeContribution = timeContributions(timeSteps)  // [1, H] or [B, H]
      let isShared = timeContribution.shape[0] == 1
      let sum = chunks.flattened(from: 1).linear(
        weight: chunkWeight, bias: isShared ? timeContribution.flattened() : nil,
        adding: isShared ? conditionContribution : conditionContribution + timeContribution)
      return mean.continuing(fromFirstSum: sum).reshaped(to: chunks.shape)
    }
  }

  private func encoded(_ condition: Tensor) -> Tensor {
    observationEncoder.map { $0(condition) } ?? condition
  }

  /// `time_embedding.*`, `cond_mlp.*` and `mlp_mean.*`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("time_embedding", timeEmbedding)
    parameters.add("cond_mlp", observationEncoder)
    parameters.add("mlp_mean", mean.module)
  }
}

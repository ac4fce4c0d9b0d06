import NeuralNetworks
import Tensors

/// Attention with the weight names of diffusers' `Attention`.
final class Attention: Module {
  private let toQueries: Linear
  private let toKeys: Linear
  private let toValues: Linear
  private let toOutput: Linear
  private let headCount: Int

  /// - Parameters:
  ///   - size: of queries and result.
  ///   - contextSize: of what is attended to; the same for self-attention.
  ///   - headCount: the number of heads.
  ///   - headSize: of one head.
  ///   - hasBias: whether queries, keys and values have one.
  ///   - random: draws the first weights.
  init(
    size: Int, contextSize: Int, headCount: Int, headSize: Int, hasBias: Bool = false,
    random: inout some RandomSource
  ) {
    let inner = headCount * headSize
    self.headCount = headCount
    toQueries = Linear(inputSize: size, outputSize: inner, hasBias: hasBias, random: &random)
    toKeys = Linear(inputSize: contextSize, outputSize: inner, hasBias: hasBias, random: &random)
    toValues = Linear(
      inputSize: contextSize, outputSize: inner, hasBias: hasBias, random: &random)
    toOutput = Linear(inputSize: inner, outputSize: size, random: &random)
  }

  /// What `context` `[B, L, contextSize]` says to any query.
  func keysAndValues(_ context: Tensor) -> PromptContext.KeysAndValues {
    PromptContext.KeysAndValues(keys: toKeys(context), values: toValues(context))
  }

  /// Attention of x `[B, N, size]` to keys and values.
  func callAsFunction(_ x: Tensor, to context: PromptContext.KeysAndValues) -> Tensor {
    toOutput(
      toQueries(x).attention(
        keys: context.keys, values: context.values, headCount: headCount))
  }

  /// Attention of x `[B, N, size]` to itself.
  func callAsFunction(_ x: Tensor) -> Tensor { self(x, to: keysAndValues(x)) }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("to_q", toQueries)
    parameters.add("to_k", toKeys)
    parameters.add("to_v", toValues)
    parameters.add("to_out.0", toOutput)
  }
}

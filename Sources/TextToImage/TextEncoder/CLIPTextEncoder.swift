import GenerativeModels
import NeuralNetworks
import Tensors

/// CLIP's text tower (Radford et al., arXiv:2103.00020): transformers' `CLIPTextModel`, and
/// `CLIPTextModelWithProjection` where the configuration has a projection.
public final class CLIPTextEncoder: Module {
  /// The sizes.
  public let configuration: CLIPTextConfiguration
  private let tower: Tower
  private let projection: Linear?

  /// What becomes of a batch of texts.
  public struct Output: Sendable {
    /// Every token after the final norm, `[B, L, D]`.
    public var hiddenState: Tensor
    /// The end token's row of `hiddenState`, `[B, D]`.
    public var pooled: Tensor
    /// `pooled` projected, `[B, P]`; nil without a projection.
    public var projected: Tensor?
  }

  private final class Embeddings: Module {
    let tokens: Embedding
    let positions: Embedding

    init(_ configuration: CLIPTextConfiguration, random: inout some RandomSource) {
      tokens = Embedding(
        count: configuration.vocabularySize, size: configuration.hiddenSize, random: &random)
      positions = Embedding(
        count: configuration.maximumLength, size: configuration.hiddenSize, random: &random)
      // transformers draws both with a standard deviation of 0.02.
      for table in [tokens, positions] { table.weight.value = table.weight.value * 0.02 }
    }

    func collect(into parameters: inout NamedParameters) {
      parameters.add("token_embedding", tokens)
      parameters.add("position_embedding", positions)
    }
  }

  private final class Tower: Module {
    let embeddings: Embeddings
    let encoder: CLIPTransformer
    let finalNorm: LayerNorm

    init(_ configuration: CLIPTextConfiguration, random: inout some RandomSource) {
      embeddings = Embeddings(configuration, random: &random)
      encoder = CLIPTransformer(
        .init(
          width: configuration.hiddenSize, intermediateSize: configuration.intermediateSize,
          layerCount: configuration.layerCount, headCount: configuration.headCount,
          activation: configuration.activation, normEpsilon: configuration.normEpsilon),
        random: &random)
      finalNorm = LayerNorm(size: configuration.hiddenSize, epsilon: configuration.normEpsilon)
    }

    func collect(into parameters: inout NamedParameters) {
      parameters.add("embeddings", embeddings)
      parameters.add("encoder", encoder)
      parameters.add("final_layer_norm", finalNorm)
    }
  }

  /// An encoder with random weights.
  public init(_ configuration: CLIPTextConfiguration, random: inout some RandomSource) {
    self.configuration = configuration
    tower = Tower(configuration, random: &random)
    projection = configuration.projectionSize.map {
      Linear(
        inputSize: configuration.hiddenSize, outputSize: $0, hasBias: false, random: &random)
    }
  }

  /// Encodes texts of equal length.
  public func callAsFunction(_ texts: [[Int]]) -> Output {
    let hiddenState = hiddenStates(texts)  // [B, L, D]
    let length = hiddenState.shape[1]
    let rows = texts.enumerated().map { $0 * length + pooledPosition($1) }
    let pooled = hiddenState.reshaped(to: [-1, configuration.hiddenSize]).gather(rows)
    return Output(
      hiddenState: hiddenState, pooled: pooled, projected: projection.map { $0(pooled) })
  }

  /// Every token after the final norm, `[B, L, D]`.
  ///
  /// - Parameters:
  ///   - texts: `B` lists of `L` tokens, L at most the configuration's length.
  ///   - skippedLayerCount: how many of the last layers are left out; `clip_skip` in diffusers.
  public func hiddenStates(_ texts: [[Int]], skippedLayerCount: Int = 0) -> Tensor {
    let length = texts.first?.count ?? 0
    precondition(
      (1...configuration.maximumLength).contains(length)
        && texts.allSatisfy { $0.count == length },
      "texts of \(texts.map(\.count)) tokens for at most \(configuration.maximumLength)")
    let tokens = tower.embeddings.tokens(texts.flatMap { $0 })
      .reshaped(to: [texts.count, length, configuration.hiddenSize])
    let embedded = tokens + tower.embeddings.positions(Array(0..<length))
    return tower.finalNorm(
      tower.encoder(embedded, isCausal: true, skippedCount: skippedLayerCount))
  }

  /// Where the end token stands: its first place, or 0; for old files that say 2, the place of the
  /// greatest token.
  private func pooledPosition(_ text: [Int]) -> Int {
    if configuration.endToken == 2 {
      return text.max().flatMap { text.firstIndex(of: $0) } ?? 0
    }
    return text.firstIndex(of: configuration.endToken) ?? 0
  }

  /// transformers' names: `text_model.*`, `text_projection.*`.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("text_model", tower)
    parameters.add("text_projection", projection)
  }
}

/// Prompts as Stable Diffusion takes them: the states of CLIP's text tower, filled up to a fixed
/// number of tokens.
public struct CLIPPromptEncoder: PromptEncoder {
  /// Makes tokens.
  public let tokenizer: CLIPTokenizer
  /// Makes states of them.
  public let textEncoder: CLIPTextEncoder

  /// Joins the parts.
  public init(tokenizer: CLIPTokenizer, textEncoder: CLIPTextEncoder) {
    self.tokenizer = tokenizer
    self.textEncoder = textEncoder
  }

  /// The states of every token after the final norm, and the end token's as `pooled`.
  ///
  /// - Throws: `GenerationError` if more text layers are to be left out than there are;
  ///   `NonFiniteOutput` if the text encoder gives numbers that are none.
  public func encode(
    _ prompts: [String], as role: PromptRole, settings: GenerationSettings
  ) throws -> PromptEncoding {
    let layers = textEncoder.configuration.layerCount
    guard (0...layers).contains(settings.skippedTextLayerCount) else {
      throw GenerationError.skippedLayers(settings.skippedTextLayerCount, of: layers)
    }
    // As in diffusers, layers are left out for what is wanted, not for what is not.
    let skippedCount = role == .positive ? settings.skippedTextLayerCount : 0
    let tokens = prompts.map(tokenizer.paddedTokens)
    let whole = textEncoder(tokens)  // what pools is the last layer, whichever are left out
    let states =
      skippedCount == 0
      ? whole.hiddenState : textEncoder.hiddenStates(tokens, skippedLayerCount: skippedCount)
    try NonFiniteOutput.check(
      states, of: .textEncoder, weights: Part(textEncoder: textEncoder).parameters)
    return PromptEncoding(states: states, pooled: whole.pooled)
  }

  /// The encoder under the name that it has in a model.
  private final class Part: Module {
    let textEncoder: CLIPTextEncoder
    init(textEncoder: CLIPTextEncoder) { self.textEncoder = textEncoder }

    func collect(into parameters: inout NamedParameters) {
      parameters.add("text_encoder", textEncoder)
    }
  }
}

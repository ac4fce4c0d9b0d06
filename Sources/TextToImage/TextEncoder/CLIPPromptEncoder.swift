import GenerativeModels
import NeuralNetworks
import Tensors

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

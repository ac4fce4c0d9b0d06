import Diffusion
import Tensors
import TextToImage

/// Prompts as the text encoder, which does not learn, sees them: encoded once for a whole training.
struct EncodedPrompts: Sendable {
  /// Row 0 is the empty prompt, which guidance leads away from; `[P + 1, L, D]`.
  private let hiddenStates: Tensor
  private let places: [String: Int]

  init(_ prompts: [String], model: TextToImageModel) {
    let different = Array(Set(prompts)).sorted()
    places = Dictionary(uniqueKeysWithValues: zip(different, 1...))
    hiddenStates = model.textEncoder.hiddenStates(
      ([""] + different).map(model.tokenizer.paddedTokens))
  }

  /// The network with guidance and a prompt for each row, differentiable with respect to the
  /// network's weights, those that make keys and values of the prompts included.
  func denoiser(
    _ unet: UNet2DConditionModel, prompts: [String], guidance: Guidance
  ) -> Denoiser {
    let rows = prompts.map { prompt in
      guard let place = places[prompt] else { preconditionFailure("'\(prompt)' is not encoded") }
      return place
    }
    let different = Array(Set(rows)).sorted()
    // Without guidance nobody asks for the empty prompt.
    let encodedRows = (guidance.isOn ? [0] : []) + different
    let ranks = Dictionary(uniqueKeysWithValues: zip(encodedRows, 0...))
    let context = unet.context(hiddenStates.gather(encodedRows))
    let wanted = rows.compactMap { ranks[$0] }
    let guided = wanted.map { _ in 0 } + wanted
    return guidance.applied { sample, timeSteps, halves in
      unet(
        sample, timeSteps: timeSteps, context: context.rows(halves == .both ? guided : wanted))
    }
  }
}

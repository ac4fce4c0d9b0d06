import NeuralNetworks
import Tensors
import TextToImage

/// What learns: low-rank adapters of a U-Net's attention, or all of its weights.
struct TrainedWeights {
  /// What the optimizer changes.
  let parameters: NamedParameters
  /// nil where all weights learn.
  let adapters: LowRankAdapters?

  init(
    _ unet: UNet2DConditionModel, configuration: ImageFineTuningConfiguration, seed: UInt64
  ) {
    guard configuration.loraRank > 0 else {
      adapters = nil
      parameters = unet.parameters
      for (_, parameter) in parameters { parameter.isTrainable = true }
      return
    }
    var random = RandomStream(seed: seed, purpose: "adapters")
    let adapters = LowRankAdapters(
      unet, rank: configuration.loraRank, alpha: configuration.loraAlpha, random: &random)
    self.adapters = adapters
    parameters = adapters.parameters
  }

  /// The gradients of `parameters`, from those of the U-Net's weights.
  func gradients(ofNetwork gradients: Gradients) -> Gradients {
    adapters?.gradients(ofMerged: gradients) ?? gradients
  }

  /// Brings the U-Net to what `parameters` say, after they have changed.
  func apply() { adapters?.merge() }
}

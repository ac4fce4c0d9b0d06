import Files
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
    _ unet: some PromptedNetwork, configuration: ImageFineTuningConfiguration, seed: UInt64
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

/// Low-rank changes of the attention's projections (LoRA, Hu et al., arXiv:2106.09685):
/// W = W_0 + alpha / r B A, with the names of peft and diffusers.
///
/// The U-Net always holds the merged weights, so that sampling costs nothing more and a model
/// folder can be written at any time. The gradients of A and B follow from that of W.
final class LowRankAdapters: Module {
  private struct Adapter {
    /// Of the projection in the U-Net, without `.weight`.
    let name: String
    let weight: Parameter
    /// W_0 `[outputs, inputs]`
    let base: Tensor
    /// A `[r, inputs]`
    let down: Parameter
    /// B `[outputs, r]`
    let up: Parameter
  }

  private let adapters: [Adapter]
  private let scale: Float
  private static let projections = ["to_q", "to_k", "to_v", "to_out.0"]

  /// Adapters that change nothing yet: A is Gaussian with standard deviation 1 / r, B is 0. Of the
  /// U-Net, only the adapted weights become trainable.
  init(
    _ unet: some PromptedNetwork, rank: Int, alpha: Double, random: inout some RandomSource
  ) {
    scale = Float(alpha / Double(rank))
    unet.freeze()
    var adapters: [Adapter] = []
    for (name, weight) in unet.parameters {
      guard let name = Self.projection(name) else { continue }
      let shape = weight.value.shape
      weight.isTrainable = true
      adapters.append(
        Adapter(
          name: name, weight: weight, base: weight.value,
          down: Parameter(
            Initializers.normal(
              [rank, shape[1]], standardDeviation: 1 / Float(rank), random: &random)),
          up: Parameter(.zeros([shape[0], rank]))))
    }
    self.adapters = adapters
  }

  /// The projection whose weight has that name; nil for what is not adapted.
  private static func projection(_ name: String) -> String? {
    guard name.hasSuffix(".weight") else { return nil }
    let name = String(name.dropLast(".weight".count))
    return projections.contains { name.hasSuffix(".\($0)") } ? name : nil
  }

  /// Brings the U-Net's weights to what A and B say.
  func merge() {
    for adapter in adapters {
      adapter.weight.value = adapter.base + adapter.up.value.matmul(adapter.down.value) * scale
    }
  }

  /// The gradients of A and B, alpha / r B^T dW and alpha / r dW A^T, from those of merged weights.
  func gradients(ofMerged gradients: Gradients) -> Gradients {
    var result = Gradients()
    for adapter in adapters {
      guard let merged = gradients[adapter.weight.leaf] else { continue }
      result[adapter.down.leaf] = adapter.up.value.transposed().matmul(merged) * scale
      result[adapter.up.leaf] = merged.matmul(adapter.down.value.transposed()) * scale
    }
    return result
  }

  /// `....lora_A.weight` and `....lora_B.weight` of each projection.
  func collect(into parameters: inout NamedParameters) {
    for adapter in adapters {
      parameters.add("\(adapter.name).lora_A.weight", adapter.down)
      parameters.add("\(adapter.name).lora_B.weight", adapter.up)
    }
  }

  /// Writes the file that diffusers' `load_lora_weights` reads. It takes alpha for r unless told
  /// otherwise: the scale goes into B.
  func write(to path: String) throws(FileError) {
    var tensors: [String: StoredTensor] = [:]
    for adapter in adapters {
      let name = "unet.\(adapter.name)"
      tensors["\(name).lora_A.weight"] = StoredTensor(adapter.down.value)
      tensors["\(name).lora_B.weight"] = StoredTensor(adapter.up.value * scale)
    }
    try SafetensorsFile.write(tensors, metadata: ["format": "pt"], to: path)
  }
}

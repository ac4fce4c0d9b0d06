import Configuration
import NeuralNetworks
import Tensors

extension NewModelConfiguration {
  /// The number that must divide the sides of images.
  public var sideFactor: Int { unet.pixelBlock << (unet.channels.count - 1) }

  /// A model with random weights.
  ///
  /// - Parameters:
  ///   - vocabulary: such as one that is trained on the captions.
  ///   - width: of the images.
  ///   - height: of the images.
  ///   - seed: decides the weights.
  /// - Throws: `ConfigurationError` for settings that do not fit.
  public func makeModel(
    vocabulary: BytePairVocabulary, width: Int, height: Int, seed: UInt64
  ) throws -> TextToImageModel {
    try validate()
    for (key, side) in [("width", width), ("height", height)] {
      try ConfigurationError.require(
        side > 0 && side.isMultiple(of: sideFactor), key, side, "a multiple of \(sideFactor)")
    }
    let tokenizer = CLIPTokenizer(vocabulary: vocabulary, maximumLength: text.tokenCount)
    var random = RandomStream(seed: seed, purpose: "weights of the text encoder")
    let textEncoder = CLIPTextEncoder(textConfiguration(tokenizer), random: &random)
    random = RandomStream(seed: seed, purpose: "weights of the U-Net")
    let unet = UNet2DConditionModel(
      networkConfiguration(width: width, height: height), random: &random)
    return try TextToImageModel(
      tokenizer: tokenizer, textEncoder: textEncoder, unet: unet, autoencoder: nil,
      scheduler: try scheduler())
  }

  private func textConfiguration(_ tokenizer: CLIPTokenizer) -> CLIPTextConfiguration {
    var configuration = CLIPTextConfiguration()
    configuration.vocabularySize = (tokenizer.vocabulary.identifiers.values.max() ?? 0) + 1
    configuration.hiddenSize = text.width
    configuration.intermediateSize = 4 * text.width
    configuration.layerCount = text.layerCount
    configuration.headCount = text.headCount
    configuration.maximumLength = text.tokenCount
    configuration.startToken = tokenizer.startToken
    configuration.endToken = tokenizer.endToken
    return configuration
  }

  private func networkConfiguration(width: Int, height: Int) -> UNetConfiguration {
    let count = unet.channels.count
    var configuration = UNetConfiguration()
    configuration.sampleSize = [height / unet.pixelBlock, width / unet.pixelBlock]
    configuration.inputChannels = 3 * unet.pixelBlock * unet.pixelBlock
    configuration.outputChannels = configuration.inputChannels
    configuration.downBlocks = unet.readsPrompt.map { $0 ? .crossAttention : .plain }
    configuration.upBlocks = unet.readsPrompt.reversed().map { $0 ? .crossAttention : .plain }
    configuration.midBlock = .crossAttention
    configuration.onlyCrossAttention = Array(repeating: false, count: count)
    configuration.blockChannels = unet.channels
    configuration.layerCounts = Array(repeating: unet.layerCount, count: count)
    configuration.normGroupCount = unet.normGroupCount
    configuration.crossAttentionSizes = Array(repeating: text.width, count: count)
    configuration.transformerLayerCounts = Array(repeating: 1, count: count)
    configuration.headCounts = Array(repeating: unet.headCount, count: count)
    return configuration
  }

  private func scheduler() throws -> SchedulerConfiguration {
    let betas: SchedulerConfiguration.Betas =
      switch noise.schedule {
      case .squaredCosine: .squaredCosine
      case .linear: .linear(first: 0.0001, last: 0.02)
      case .scaledLinear: .scaledLinear(first: 0.00085, last: 0.012)
      }
    // Clamping, diffusers' habit for pixels, clamps the estimate of the sample and not the noise
    // that goes with it: with guidance above 1 what is left over stays in the image.
    return try SchedulerConfiguration(
      betas: betas, predictionType: noise.predictionType, timeStepCount: noise.timeStepCount,
      clampsEstimates: false, hasZeroTerminalSNR: noise.hasZeroTerminalSNR)
  }
}

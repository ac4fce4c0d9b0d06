import NeuralNetworks
import Tensors
import TextToImage

/// Layers on the way down, and halving at the end; `DownBlock3D`, `CrossAttnDownBlock3D`,
/// `DownBlockMotion` and `CrossAttnDownBlockMotion` in diffusers.
final class ClipDownBlock: Module {
  private let layers: [ClipLayer]
  private let downsampling: Downsampling?

  /// - Parameters:
  ///   - inputChannels: from above.
  ///   - outputChannels: of the result.
  ///   - layerCount: how many layers.
  ///   - style: of the layers.
  ///   - downsamplePadding: nil where the result is not halved.
  ///   - random: draws the first weights.
  init(
    inputChannels: Int, outputChannels: Int, layerCount: Int, style: ClipLayer.Style,
    downsamplePadding: Int?, random: inout some RandomSource
  ) {
    var layers: [ClipLayer] = []
    for index in 0..<layerCount {
      layers.append(
        ClipLayer(
          inputChannels: index == 0 ? inputChannels : outputChannels,
          outputChannels: outputChannels, style: style, random: &random))
    }
    self.layers = layers
    downsampling = downsamplePadding.map {
      Downsampling(channels: outputChannels, padding: $0, random: &random)
    }
  }

  var promptAttentions: [Attention] { layers.promptAttentions }

  /// The result; what each layer and the halving gave is added to `skipped`, for the way up.
  func callAsFunction(_ x: Tensor, skipped: inout [Tensor], _ context: ClipContext) -> Tensor {
    var x = x
    for layer in layers {
      x = layer(x, context)
      skipped.append(x)
    }
    guard let downsampling else { return x }
    x = downsampling(x)
    skipped.append(x)
    return x
  }

  func collect(into parameters: inout NamedParameters) {
    layers.collect(into: &parameters)
    if let downsampling { parameters.add("downsamplers", [downsampling]) }
  }
}

/// A layer, and another without transformers; `UNetMidBlock3DCrossAttn`,
/// `UNetMidBlockCrossAttnMotion` and, without transformers over frames, `UNetMidBlock2DCrossAttn` in
/// diffusers.
final class ClipMidBlock: Module {
  private let first: ClipLayer
  private let second: ClipLayer

  init(channels: Int, style: ClipLayer.Style, random: inout some RandomSource) {
    first = ClipLayer(
      inputChannels: channels, outputChannels: channels, style: style, random: &random)
    var style = style
    style.transformer = nil
    style.temporal = nil
    second = ClipLayer(
      inputChannels: channels, outputChannels: channels, style: style, random: &random)
  }

  var promptAttentions: [Attention] { [first].promptAttentions }

  func callAsFunction(_ x: Tensor, _ context: ClipContext) -> Tensor {
    second(first(x, context), context)
  }

  func collect(into parameters: inout NamedParameters) {
    [first, second].collect(into: &parameters)
  }
}

/// Layers that also see what the way down left at their size, and doubling at the end; `UpBlock3D`,
/// `CrossAttnUpBlock3D`, `UpBlockMotion` and `CrossAttnUpBlockMotion` in diffusers.
final class ClipUpBlock: Module {
  private let layers: [ClipLayer]
  private let upsampling: Upsampling?

  /// - Parameters:
  ///   - inputChannels: from below.
  ///   - skippedChannels: from the way down, in the order of use.
  ///   - outputChannels: of the result.
  ///   - style: of the layers.
  ///   - hasUpsampling: whether the result is doubled.
  ///   - random: draws the first weights.
  init(
    inputChannels: Int, skippedChannels: [Int], outputChannels: Int, style: ClipLayer.Style,
    hasUpsampling: Bool, random: inout some RandomSource
  ) {
    var layers: [ClipLayer] = []
    for (index, skipped) in skippedChannels.enumerated() {
      layers.append(
        ClipLayer(
          inputChannels: (index == 0 ? inputChannels : outputChannels) + skipped,
          outputChannels: outputChannels, style: style, random: &random))
    }
    self.layers = layers
    upsampling = hasUpsampling ? Upsampling(channels: outputChannels, random: &random) : nil
  }

  var promptAttentions: [Attention] { layers.promptAttentions }

  /// Takes what it needs from the end of `skipped`, and doubles to the size of what is left there.
  func callAsFunction(_ x: Tensor, skipped: inout [Tensor], _ context: ClipContext) -> Tensor {
    var x = x
    for layer in layers {
      x = layer(.concatenated([x, skipped.removeLast()], along: -1), context)
    }
    guard let upsampling else { return x }
    return upsampling(x, height: skipped.last?.shape[1], width: skipped.last?.shape[2])
  }

  func collect(into parameters: inout NamedParameters) {
    layers.collect(into: &parameters)
    if let upsampling { parameters.add("upsamplers", [upsampling]) }
  }
}

import Diffusion
import GenerativeModels
import Tensors
import TextToImage

/// The parts of a text-to-video model.
public typealias TextToVideoModel = PromptedModel<UNet3DConditionModel>

/// Generates clips from prompts with a model in the layout of diffusers' `TextToVideoSDPipeline`.
public struct TextToVideoPipeline: ClipPipeline {
  /// The parts it is made of.
  public let model: TextToVideoModel
  /// Frames a second.
  public var frameRate = 8.0
  /// The network has no limit of its own.
  public var frameCounts: ClosedRange<Int> { 1...1_024 }

  /// A pipeline of a model's parts.
  public init(_ model: TextToVideoModel) { self.model = model }

  /// The noise of PyTorch's generators, as diffusers draws it for clips.
  public func noiseSource(seeds: [UInt64]) -> any NoiseSource { TorchClipNoise(seeds: seeds) }
}

/// Noise for a batch of clips, each from its own seed as diffusers' `TextToVideoSDPipeline` draws it:
/// the initial noise channel by channel, `torch.randn(1, C, F, h, w)`, and that of a step frame by
/// frame, `torch.randn(F, C, h, w)`, since a scheduler sees frames as a batch.
public struct TorchClipNoise: NoiseSource, Sendable {
  private var generators: [TorchRandom]
  private var hasDrawn = false

  /// A generator for each clip.
  public init(seeds: [UInt64]) { generators = seeds.map { TorchRandom(seed: $0) } }

  /// The next draws `[B, F, h, w, C]`.
  public mutating func noise(_ shape: [Int]) -> Tensor {
    precondition(
      shape.count == 5 && shape[0] == generators.count,
      "\(generators.count) seeds for noise of clips of shape \(shape)")
    let (frames, height, width, channels) = (shape[1], shape[2], shape[3], shape[4])
    defer { hasDrawn = true }
    return .stacked(
      generators.indices.map { index in
        hasDrawn
          ? generators[index].normal([frames, channels, height, width]).transposed([0, 2, 3, 1])
          : generators[index].normal([channels, frames, height, width]).transposed([1, 2, 3, 0])
      })
  }
}

import Diffusion
import Tensors

/// Noise for a batch, each row from its own seed as diffusers draws it: `torch.randn(1, C, ...)` from
/// `torch.Generator("cpu")`, channels first: `[1, C, H, W]` of an image, `[1, C, F, H, W]` of a clip.
public struct TorchNoise: NoiseSource, Sendable {
  private var generators: [TorchRandom]

  /// A generator for each row.
  public init(seeds: [UInt64]) { generators = seeds.map { TorchRandom(seed: $0) } }

  /// The next draws `[B, ..., C]`.
  public mutating func noise(_ shape: [Int]) -> Tensor {
    precondition(
      shape.count >= 2 && shape[0] == generators.count,
      "\(generators.count) seeds for noise of shape \(shape)")
    let drawn = [1, shape[shape.count - 1]] + shape[1..<shape.count - 1]
    let channelsLast = [0] + Array(2..<shape.count) + [1]
    return .concatenated(
      generators.indices.map { generators[$0].normal(drawn).transposed(channelsLast) }, along: 0)
  }
}

/// Any source of noise, for functions that are generic over them.
struct AnyNoiseSource: NoiseSource {
  private var source: any NoiseSource

  init(_ source: any NoiseSource) { self.source = source }

  mutating func noise(_ shape: [Int]) -> Tensor { source.noise(shape) }
}

import Diffusion
import Tensors

/// Noise for a batch of images, each from its own seed as diffusers draws it: `torch.randn(1, C, H,
/// W)` from `torch.Generator("cpu")`.
public struct TorchImageNoise: NoiseSource, Sendable {
  private var generators: [TorchRandom]

  /// A generator for each image.
  public init(seeds: [UInt64]) { generators = seeds.map { TorchRandom(seed: $0) } }

  /// The next draws `[B, H, W, C]`.
  public mutating func noise(_ shape: [Int]) -> Tensor {
    precondition(
      shape.count == 4 && shape[0] == generators.count,
      "\(generators.count) seeds for noise of shape \(shape)")
    let planes = [1, shape[3], shape[1], shape[2]]
    return .concatenated(
      generators.indices.map { generators[$0].normal(planes).transposed([0, 2, 3, 1]) }, along: 0)
  }
}

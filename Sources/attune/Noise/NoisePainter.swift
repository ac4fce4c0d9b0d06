import Diffusion
import GenerativeModels
import InitialNoise
import Media
import Tensors
import TextToImage

/// Makes pictures of given noise.
struct NoisePainter {
  let pipeline: TextToImagePipeline
  let settings: GenerationSettings
  let negativePrompt: String

  /// Pictures of noise `[B, h, w, C]`.
  func paint(_ noise: Tensor, prompts: [String], seeds: [UInt64]) throws -> [Image] {
    let pictures = try pipeline.images(
      prompts: prompts, negativePrompts: [negativePrompt], seeds: seeds, settings: settings,
      initialNoise: noise)
    return Image.batch(pictures, range: .zeroToOne)
  }

  /// Pictures of a prompt with the seeds from `firstSeed`, their noise moved by a prior if there is
  /// one.
  func paint(
    _ prompt: String, prior: NoisePrior?, firstSeed: UInt64, count: Int
  ) throws -> [Image] {
    let seeds = (0..<count).map { firstSeed &+ UInt64($0) }
    var source = TorchNoise(seeds: seeds)
    let unit = source.noise([count] + (try pipeline.sampleShape(settings)))
    return try paint(prior?.noise(from: unit) ?? unit, prompts: [prompt], seeds: seeds)
  }
}

import Diffusion
import GenerativeModels
import Media
import NeuralNetworks
import Tensors

/// Generates images from prompts with a model in the layout of Stable Diffusion.
public struct TextToImagePipeline: PromptedPipeline {
  /// The parts it is made of.
  public let model: TextToImageModel

  /// A pipeline of a model's parts.
  public init(_ model: TextToImageModel) { self.model = model }

  /// Generates images as a tensor; see `generate`. With the seeds of diffusers' generators, they are
  /// diffusers'.
  ///
  /// - Returns: `[B, H, W, 3]` in 0 ... 1.
  /// - Throws: `GenerationError` or `FileError` if the model cannot do it; `NonFiniteOutput` if a
  ///   part of it gives numbers that are none.
  public func images(
    prompts: [String], negativePrompts: [String] = [], seeds: [UInt64],
    settings: GenerationSettings = GenerationSettings(), initialNoise: Tensor? = nil,
    progress: ((_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> Tensor {
    let samples = try samples(
      prompts: prompts, negativePrompts: negativePrompts, seeds: seeds, settings: settings,
      initialNoise: initialNoise, progress: progress)
    return try model.images(ofSamples: samples, isTiled: settings.isTiled)
  }

  /// Images of samples `[B, h, w, C]`.
  ///
  /// - Throws: `NonFiniteOutput` if the samples or what the decoder makes of them are not finite.
  public func media(ofSamples samples: Tensor, settings: GenerationSettings) throws -> [Media] {
    [Media](images: try model.images(ofSamples: samples, isTiled: settings.isTiled))
  }

  /// The Markov decision process of the model's scheduler, or of the sampler that is chosen.
  ///
  /// - Throws: `FileError` if the model's scheduler does not fit the settings.
  public func process(_ settings: GenerationSettings) throws -> DenoisingProcess {
    DenoisingProcess(
      sampler: try model.scheduler.sampler(
        settings.sampler, stepCount: settings.stepCount, eta: settings.eta,
        isForLatents: model.autoencoder != nil))
  }

  /// The shape `[h, w, C]` of one sample.
  ///
  /// - Throws: `GenerationError` if the size is unknown or not a multiple of what the model needs, or
  ///   a clip is wanted.
  public func sampleShape(_ settings: GenerationSettings) throws -> [Int] {
    if let frames = settings.frames, frames != 1 {
      throw GenerationError.frames(frames, range: 1...1)
    }
    return try frameShape(settings)
  }

  /// Settings with the height and width of samples `[h, w, C]`, unless they have one.
  public func settings(
    _ settings: GenerationSettings, fittingShape shape: [Int]
  ) -> GenerationSettings {
    var settings = settings
    guard shape.count == 3 else { return settings }
    settings.height = settings.height ?? shape[0] * model.reduction
    settings.width = settings.width ?? shape[1] * model.reduction
    return settings
  }
}

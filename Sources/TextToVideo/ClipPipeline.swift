import Diffusion
import GenerativeModels
import Media
import Tensors
import TextToImage

/// A pipeline of a model whose samples are clips `[F, h, w, C]`, decoded frame by frame.
public protocol ClipPipeline: PromptedPipeline {
  /// Frames a second of what is shown; networks do not know of it.
  var frameRate: Double { get set }
  /// How many frames a clip may have.
  var frameCounts: ClosedRange<Int> { get }
}

extension ClipPipeline {
  /// Generates clips as a tensor; see `generate`. With the seeds of diffusers' generators, they are
  /// diffusers'.
  ///
  /// - Returns: `[B, F, H, W, 3]` in 0 ... 1.
  /// - Throws: `GenerationError` or `FileError` if the model cannot do it; `NonFiniteOutput` if a
  ///   part of it gives numbers that are none.
  public func clips(
    prompts: [String], negativePrompts: [String] = [], seeds: [UInt64],
    settings: GenerationSettings = GenerationSettings(), initialNoise: Tensor? = nil,
    progress: ((_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> Tensor {
    let samples = try samples(
      prompts: prompts, negativePrompts: negativePrompts, seeds: seeds, settings: settings,
      initialNoise: initialNoise, progress: progress)
    return try model.images(ofSamples: samples, isTiled: settings.isTiled)
  }

  /// Clips of samples `[B, F, h, w, C]`.
  ///
  /// - Throws: `NonFiniteOutput` if the samples or what the decoder makes of them are not finite.
  public func media(ofSamples samples: Tensor, settings: GenerationSettings) throws -> [Media] {
    [Media](
      clips: try model.images(ofSamples: samples, isTiled: settings.isTiled), frameRate: frameRate)
  }

  /// The Markov decision process of the model's scheduler, or of the sampler that is chosen.
  ///
  /// The scheduler's file is followed to the letter, as by diffusers' pipelines of clips: that of
  /// images overrules two of its keys.
  ///
  /// - Throws: `FileError` if the model's scheduler does not fit the settings.
  public func process(_ settings: GenerationSettings) throws -> DenoisingProcess {
    DenoisingProcess(
      sampler: try model.scheduler.sampler(
        settings.sampler, stepCount: settings.stepCount, eta: settings.eta, isForLatents: false))
  }

  /// The shape `[F, h, w, C]` of one sample, of 16 frames unless the settings say otherwise.
  ///
  /// - Throws: `GenerationError` if the size is unknown or not one that the model can make.
  public func sampleShape(_ settings: GenerationSettings) throws -> [Int] {
    let frames = settings.frames ?? min(16, frameCounts.upperBound)
    guard frameCounts.contains(frames) else {
      throw GenerationError.frames(frames, range: frameCounts)
    }
    return [frames] + (try frameShape(settings))
  }

  /// Settings with the frames, height and width of samples `[F, h, w, C]`, unless they have one.
  public func settings(
    _ settings: GenerationSettings, fittingShape shape: [Int]
  ) -> GenerationSettings {
    var settings = settings
    guard shape.count == 4 else { return settings }
    settings.frames = settings.frames ?? shape[0]
    settings.height = settings.height ?? shape[1] * model.reduction
    settings.width = settings.width ?? shape[2] * model.reduction
    return settings
  }
}

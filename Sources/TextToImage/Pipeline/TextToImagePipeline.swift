import Diffusion
import GenerativeModels
import Media
import NeuralNetworks
import Tensors

/// Generates images from prompts with a model in the layout of Stable Diffusion.
public struct TextToImagePipeline: GenerativeModel {
  /// The parts it is made of.
  public let model: TextToImageModel

  /// A pipeline of a model's parts.
  public init(_ model: TextToImageModel) { self.model = model }

  /// Reads a model folder in the layout of diffusers; its weights are frozen.
  ///
  /// - Throws: `FileError` naming the file and key if a part is missing, damaged or not supported.
  public init(folder: String) throws {
    model = try TextToImageModel(folder: folder)
    for (_, parameter) in model.parameters { parameter.isTrainable = false }
  }

  /// Encodes prompts by the model's text encoder.
  public var promptEncoder: any PromptEncoder {
    CLIPPromptEncoder(tokenizer: model.tokenizer, textEncoder: model.textEncoder)
  }

  /// All weights, named by part: `text_encoder.*`, `unet.*` and `vae.*`.
  public var parameters: NamedParameters { model.parameters }

  /// That of the model.
  public var fingerprint: String { model.fingerprint }

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
    let configuration = model.unet.configuration
    func side(_ pixels: Int?, _ index: Int) throws -> Int {
      guard let pixels else {
        guard let size = configuration.sampleSize else { throw GenerationError.unknownSize }
        return size[index]
      }
      guard pixels > 0, pixels % model.reduction == 0 else {
        throw GenerationError.size(pixels, multipleOf: model.reduction)
      }
      return pixels / model.reduction
    }
    return [try side(settings.height, 0), try side(settings.width, 1), configuration.inputChannels]
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

  /// The U-Net with its prompts and guidance bound, both halves in one batch; keys and values of
  /// each different prompt are computed once.
  public func denoiser(
    for condition: PromptCondition, settings: GenerationSettings
  ) -> Denoiser {
    let unet = model.unet
    func context(_ batch: PromptBatch) -> PromptContext {
      unet.context(batch.encoding.states).rows(batch.rows)
    }
    let wanted = context(condition.positive)
    let guided = condition.negative.map { PromptContext.joined(context($0), wanted) } ?? wanted
    return settings.guidance.applied { sample, timeSteps, halves in
      unet.sharded(sample, timeSteps: timeSteps, context: halves == .both ? guided : wanted)
    }
  }
}

extension TextToImageModel {
  /// Stops at numbers that are infinite or none, naming the first weight at fault.
  package func requireFinite(
    _ output: Tensor, of place: NonFiniteOutput.Place, from input: Tensor? = nil
  ) throws(NonFiniteOutput) {
    try NonFiniteOutput.check(output, of: place, from: input, weights: parameters)
  }
}

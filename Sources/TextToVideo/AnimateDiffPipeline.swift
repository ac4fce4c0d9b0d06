import Files
import TextToImage

/// The parts of a text-to-video model of AnimateDiff.
public typealias AnimateDiffModel = PromptedModel<UNetMotionModel>

/// Generates clips from prompts with a model in the layout of diffusers' `AnimateDiffPipeline`.
///
/// All noise of a clip is drawn `torch.randn(1, C, F, h, w)`.
public struct AnimateDiffPipeline: ClipPipeline {
  /// The parts it is made of.
  public let model: AnimateDiffModel
  /// Frames a second.
  public var frameRate = 8.0
  /// As many as there are positions.
  public var frameCounts: ClosedRange<Int> { 1...model.unet.configuration.maxFrameCount }

  /// A pipeline of a model's parts.
  public init(_ model: AnimateDiffModel) { self.model = model }
}

extension PromptedModel where Network == UNetMotionModel {
  /// A text-to-image model with the motion modules of a folder.
  ///
  /// Noise is that of AnimateDiff's training, whose betas grow evenly: with those of Stable
  /// Diffusion clips flicker.
  ///
  /// - Parameters:
  ///   - images: such as Stable Diffusion 1.
  ///   - adapterFolder: with `config.json` and weights of a `MotionAdapter`.
  /// - Throws: `FileError` if the folder is damaged or does not fit the model.
  public convenience init(images: TextToImageModel, adapterFolder: String) throws {
    let scheduler: JSONValue = [
      "_class_name": "DDIMScheduler", "_diffusers_version": "0.30.0",
      "num_train_timesteps": 1_000, "beta_schedule": "linear", "beta_start": .number(0.00085),
      "beta_end": .number(0.012), "prediction_type": "epsilon", "clip_sample": false,
      "set_alpha_to_one": false, "steps_offset": 1, "timestep_spacing": "linspace",
    ]
    try self.init(
      tokenizer: images.tokenizer, textEncoder: images.textEncoder,
      unet: UNetMotionModel(images: images.unet, adapterFolder: adapterFolder),
      autoencoder: images.autoencoder, decoder: images.decoder,
      scheduler: SchedulerConfiguration(json: scheduler, path: "scheduler_config.json"),
      folder: ".")
  }
}

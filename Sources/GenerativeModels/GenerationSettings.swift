import Diffusion

/// How images or clips are generated; the defaults are those of diffusers' Stable Diffusion
/// pipeline, but for the number of steps.
public struct GenerationSettings: Sendable {
  /// The number of denoising steps.
  public var stepCount = 20
  /// How strongly the prompt guides.
  public var guidance = Guidance(scale: 7.5)
  /// The sampler; the model's own if nil.
  public var sampler: SamplerKind?
  /// How much noise DDIM draws, 0 to 1.
  public var eta: Float = 0
  /// Height in pixels; the model's own if nil.
  public var height: Int?
  /// Width in pixels; the model's own if nil.
  public var width: Int?
  /// Frames of a clip; the model's own if nil.
  public var frames: Int?
  /// How many of the text encoder's last layers are left out for prompts, not for negative ones;
  /// `clip_skip` in diffusers.
  public var skippedTextLayerCount = 0
  /// The maximum number of images or clips at a time: more are faster, and take more memory.
  public var batchSize = 16
  /// Whether large images are decoded in tiles.
  public var isTiled = false

  /// Diffusers' defaults and 20 steps.
  public init() {}
}

/// The samplers that a generative model can be sampled with.
public enum SamplerKind: String, Sendable, CaseIterable, Codable {
  /// Deterministic unless eta is above 0.
  case ddim
  /// Ancestral sampling.
  case ddpm
  /// Euler's method on the probability-flow ODE.
  case euler
  /// Euler steps with fresh noise.
  case eulerAncestral = "euler-ancestral"
  /// Heun's method, which runs the network twice a step.
  case heun
  /// DPM-Solver++ with multiple steps, of second order unless the model says otherwise.
  case dpmSolver = "dpm-solver"
  /// The same with fresh noise at each step.
  case dpmSolverSDE = "dpm-solver-sde"
  /// A predictor of second order and a corrector, unless the model says otherwise.
  case unipc
  /// A linear multistep method of fourth order: that of Stable Diffusion 1.
  case pndm
  /// For latent consistency models, in a few steps.
  case lcm
  /// Euler's method for flow-matching models.
  case flowMatchingEuler = "flow-matching-euler"
}

/// A request that a model cannot fulfil.
public enum GenerationError: Error, Equatable, CustomStringConvertible {
  /// A side of the image is not a multiple of what the model needs.
  case size(Int, multipleOf: Int)
  /// The model does not say how large its images are.
  case unknownSize
  /// A clip of so many frames is more or less than the model can make.
  case frames(Int, range: ClosedRange<Int>)
  /// The prompts, negative prompts and seeds do not go together.
  case counts(prompts: Int, negativePrompts: Int, seeds: Int)
  /// A fraction of noise for a sampler that has none to choose.
  case eta(Float, SamplerKind)
  /// More layers of the text encoder are to be left out than it has.
  case skippedLayers(Int, of: Int)

  /// What is wrong, and what to do.
  public var description: String {
    switch self {
    case .size(let side, let factor):
      "an image cannot be \(side) pixels high or wide: choose a positive multiple of \(factor)"
    case .unknownSize:
      "the model's unet/config.json has no sample_size: choose a height and width"
    case .frames(let count, let range):
      """
      the model cannot make \(count) frames: choose \
      \(range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)")
      """
    case .counts(let prompts, let negativePrompts, let seeds):
      """
      \(prompts) prompts, \(negativePrompts) negative prompts and \(seeds) seeds do not go \
      together: give one of each or as many as there are images
      """
    case .eta(let eta, let kind):
      "eta is \(eta), but only the sampler ddim has one, not \(kind.rawValue): leave it at 0"
    case .skippedLayers(let count, let total):
      "cannot leave out \(count) of the text encoder's \(total) layers"
    }
  }
}

import Diffusion
import GenerativeModels
import Runs
import TextToImage

/// How pictures are drawn, as settings.
struct SamplingSettings: RunConfiguration {
  /// Denoising steps.
  var stepCount = 20
  /// Classifier-free guidance scale; 1 or less turns it off.
  var guidance = 4.0
  /// The model's own if there is none.
  var sampler: SamplerKind?
  /// Last layers of the text encoder to skip; as in diffusers, where 1 is what others call 2.
  var clipSkip = 0
  /// How much of DDPM's noise DDIM draws, 0 to 1.
  var eta = 0.0
  /// How far guidance is brought back to the standard deviation of the unguided prediction, 0 to 1.
  var guidanceRescale = 0.0
  /// Whether large images are decoded in tiles, which takes less memory.
  var vaeTiling = false
  /// The most pictures at a time.
  var batchSize = 16
  /// Pixels in a row of each picture; the model's own if there is none.
  var width: Int?
  /// Rows of each picture; the model's own if there is none.
  var height: Int?

  static let defaults = SamplingSettings()

  func validate() throws {
    let ranges = [
      ("stepCount", stepCount, 1...10_000), ("batchSize", batchSize, 1...100_000),
      ("width", width ?? 1, 1...16_384), ("height", height ?? 1, 1...16_384),
      ("clipSkip", clipSkip, 0...1_000),
    ]
    for (key, number, range) in ranges where !range.contains(number) {
      throw ConfigurationError.badValue(
        key: key, found: "\(number)", expected: "\(range.lowerBound) to \(range.upperBound)")
    }
    if !(0...1_000).contains(guidance) {
      throw ConfigurationError.badValue(
        key: "guidance", found: "\(guidance)", expected: "0 to 1000")
    }
    for (key, number) in [("eta", eta), ("guidanceRescale", guidanceRescale)]
    where !(0...1).contains(number) {
      throw ConfigurationError.badValue(key: key, found: "\(number)", expected: "0 to 1")
    }
  }

  /// The same for the pipeline.
  var generation: GenerationSettings {
    var settings = GenerationSettings()
    settings.stepCount = stepCount
    settings.guidance = Guidance(scale: Float(guidance), rescale: Float(guidanceRescale))
    settings.skippedTextLayerCount = clipSkip
    settings.eta = Float(eta)
    settings.isTiled = vaeTiling
    settings.sampler = sampler
    settings.batchSize = batchSize
    (settings.width, settings.height) = (width, height)
    return settings
  }
}

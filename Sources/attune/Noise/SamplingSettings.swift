import Diffusion
import Runs
import TextToImage

/// How pictures are drawn, as settings.
struct SamplingSettings: RunConfiguration {
  /// Denoising steps.
  var stepCount = 20
  /// How strongly the prompt guides.
  var guidance = 4.0
  /// The model's own if there is none.
  var sampler: SamplerKind?
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
    ]
    for (key, number, range) in ranges where !range.contains(number) {
      throw ConfigurationError.badValue(
        key: key, found: "\(number)", expected: "\(range.lowerBound) to \(range.upperBound)")
    }
    if !(0...1_000).contains(guidance) {
      throw ConfigurationError.badValue(
        key: "guidance", found: "\(guidance)", expected: "0 to 1000")
    }
  }

  /// The same for the pipeline.
  var generation: GenerationSettings {
    var settings = GenerationSettings()
    settings.stepCount = stepCount
    settings.guidance = Guidance(scale: Float(guidance))
    settings.sampler = sampler
    settings.batchSize = batchSize
    (settings.width, settings.height) = (width, height)
    return settings
  }
}

import CaptionedImages
import Diffusion
import Media
import Runs
import TextToImage

/// The pictures that a training draws on the way, always of the same prompts and seeds.
struct SampleGridSettings: RunConfiguration {
  /// Batches between grids; 0 for none.
  var interval = 500
  /// What is drawn, a row each; the first captions of the training pictures if there are none.
  var prompts: [String] = []
  /// Pictures of each prompt.
  var count = 4
  /// Of the first picture of each prompt.
  var seed: UInt64 = 0
  /// Denoising steps.
  var stepCount = 20
  /// How strongly the prompt guides.
  var guidance = 4.0
  /// The model's own if there is none.
  var sampler: SamplerKind?

  static let defaults = SampleGridSettings()

  func validate() throws {
    let ranges = [("count", count, 1...64), ("stepCount", stepCount, 1...1_000)]
    for (key, number, range) in ranges where !range.contains(number) {
      throw ConfigurationError.badValue(
        key: key, found: "\(number)", expected: "\(range.lowerBound) to \(range.upperBound)")
    }
    if !(0...100).contains(guidance) {
      throw ConfigurationError.badValue(
        key: "guidance", found: "\(guidance)", expected: "0 to 100")
    }
  }

  /// Whether it is time after that batch.
  func isDue(after batch: Int, isLast: Bool) -> Bool {
    interval > 0 && (isLast || batch.isMultiple(of: interval))
  }

  /// The prompts of every grid.
  func chosenPrompts(_ source: any CaptionedImageSource) throws -> [String] {
    guard prompts.isEmpty else { return prompts }
    return try source.captions(at: Array(0..<min(8, source.count ?? 8)))
  }

  /// Draws a grid.
  func draw(
    _ model: TextToImageModel, prompts: [String], width: Int, height: Int
  ) throws -> ImageGrid {
    var settings = GenerationSettings()
    settings.stepCount = stepCount
    settings.guidance = Guidance(scale: Float(guidance))
    settings.sampler = sampler
    (settings.width, settings.height) = (width, height)
    let request = SampleRequest(prompts: prompts, count: count, seed: seed)
    let images = try TextToImagePipeline(model).generate(
      prompts: request.imagePrompts, seeds: request.imageSeeds, settings: settings)
    return request.grid(Image.batch(images, range: .zeroToOne), magnification: nil)
  }
}

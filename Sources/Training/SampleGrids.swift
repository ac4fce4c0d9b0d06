import CaptionedImages
import Diffusion
import Files
import GenerativeModels
import Media
import Runs
import TextToImage

/// Some pictures of each of some prompts.
package struct SampleRequest {
  package let prompts: [String]
  /// Pictures of each.
  package let count: Int
  /// Of the first picture of each prompt; the next have the seeds that follow.
  package let seed: UInt64

  package init(prompts: [String], count: Int, seed: UInt64) {
    self.prompts = prompts
    self.count = count
    self.seed = seed
  }

  /// A prompt for each picture.
  package var imagePrompts: [String] {
    prompts.flatMap { [String](repeating: $0, count: count) }
  }

  /// A seed for each picture.
  package var imageSeeds: [UInt64] {
    prompts.flatMap { _ in (0..<count).map { seed &+ UInt64($0) } }
  }

  /// The pictures with a row for each prompt; those of one prompt about square, below it.
  package func grid(_ images: [Image], magnification: Int?, hasCaptions: Bool = true) -> ImageGrid {
    var grid = ImageGrid(images, columnCount: prompts.count > 1 ? count : nil)
    // Small pictures are shown at about 128 pixels.
    grid.magnification = magnification ?? max(1, min(8, 128 / max(1, images[0].width)))
    guard hasCaptions else { return grid }
    if prompts.count == 1 { grid.title = prompts[0] } else { grid.captions = imagePrompts }
    return grid
  }
}

/// The pictures that a training draws on the way, always of the same prompts and seeds.
public struct SampleGridSettings: RunConfiguration {
  /// Batches between grids; 0 for none.
  public var interval = 500
  /// What is drawn, a row each; the first captions of the training pictures if there are none.
  public var prompts: [String] = []
  /// Pictures of each prompt.
  public var count = 4
  /// Of the first picture of each prompt.
  public var seed: UInt64 = 0
  /// Denoising steps.
  public var stepCount = 20
  /// Classifier-free guidance scale; 1 or less turns it off.
  public var guidance = 4.0
  /// The model's own if there is none.
  public var sampler: SamplerKind?

  /// What holds where nothing else is set.
  public static let defaults = SampleGridSettings()

  /// Checks ranges.
  public func validate() throws {
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

  /// Finds out now, not at the first grid, that the model cannot be sampled so.
  ///
  /// - Throws: `ConfigurationError` naming the setting.
  func check(_ model: TextToImageModel, width: Int, height: Int) throws {
    guard interval > 0 else { return }
    let pipeline = TextToImagePipeline(model)
    let settings = generation(width: width, height: height)
    do {
      _ = try pipeline.process(settings)
      _ = try pipeline.sampleShape(settings)
    } catch {
      throw ConfigurationError.badValue(
        key: "samples.sampler", found: sampler?.rawValue ?? "none, so the model's own",
        expected:
          "one that can draw the grids in \(stepCount.counting("step")), or samples.interval=0 "
          + "(\(error))")
    }
  }

  private func generation(width: Int, height: Int) -> GenerationSettings {
    var settings = GenerationSettings()
    settings.stepCount = stepCount
    settings.guidance = Guidance(scale: Float(guidance))
    settings.sampler = sampler
    (settings.width, settings.height) = (width, height)
    return settings
  }

  /// Draws a grid.
  func draw(
    _ model: TextToImageModel, prompts: [String], width: Int, height: Int
  ) throws -> ImageGrid {
    let settings = generation(width: width, height: height)
    let request = SampleRequest(prompts: prompts, count: count, seed: seed)
    let pipeline = TextToImagePipeline(model)
    do {
      _ = try pipeline.process(settings)
    } catch var error as SamplerChoiceError {
      error.option = "the setting samples.sampler"
      throw error
    }
    let images = try pipeline.images(
      prompts: request.imagePrompts, seeds: request.imageSeeds, settings: settings)
    return request.grid(Image.batch(images, range: .zeroToOne), magnification: nil)
  }
}

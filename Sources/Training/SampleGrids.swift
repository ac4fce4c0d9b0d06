import CaptionedMedia
import Configuration
import Diffusion
import Files
import Foundation
import GenerativeModels
import Media
import Runs
import TextToImage

/// Some images of each of some prompts.
package struct SampleRequest {
  package let prompts: [String]
  /// Images of each.
  package let count: Int
  /// Of the first image of each prompt; the next have the seeds that follow.
  package let seed: UInt64

  package init(prompts: [String], count: Int, seed: UInt64) {
    self.prompts = prompts
    self.count = count
    self.seed = seed
  }

  /// A prompt for each image.
  package var imagePrompts: [String] {
    prompts.flatMap { [String](repeating: $0, count: count) }
  }

  /// A seed for each image.
  package var imageSeeds: [UInt64] {
    prompts.flatMap { _ in (0..<count).map { seed &+ UInt64($0) } }
  }

  /// The images with a row for each prompt; those of one prompt about square, below it.
  package func grid(_ images: [Image], magnification: Int?, hasCaptions: Bool = true) -> ImageGrid {
    var grid = ImageGrid(images, columnCount: prompts.count > 1 ? count : nil)
    // Small images are shown at about 128 pixels.
    grid.magnification = magnification ?? max(1, min(8, 128 / max(1, images[0].width)))
    guard hasCaptions else { return grid }
    if prompts.count == 1 { grid.title = prompts[0] } else { grid.captions = imagePrompts }
    return grid
  }
}

extension SampleRequest {
  /// A grid of clips that play side by side, or whose frames are rows.
  package func grid(
    clips: [Media], magnification: Int?, hasCaptions: Bool = true
  ) -> ClipGrid {
    ClipGrid(
      clips,
      layout: grid(
        clips.map { $0.frames[0] }, magnification: magnification, hasCaptions: hasCaptions))
  }
}

/// A grid of images, or of clips, in the folder of a run: `images/NAME.png`, where clips lie in rows
/// of frames, and `videos/NAME.mp4`, where they play.
struct MediaGrid {
  let media: [Media]
  let request: SampleRequest

  private var hasClips: Bool { media[0].frameRate != nil }

  /// Writes the files.
  ///
  /// - Throws: `FileError` or `VideoError`.
  func write<Settings>(in run: Run<Settings>, name: String, iteration: Int? = nil) throws {
    guard run.isWriting else { return }
    guard hasClips else {
      return try write(
        request.grid(media.map(\.still), magnification: nil), in: run, name, iteration)
    }
    let grid = request.grid(clips: media, magnification: nil)
    try write(grid.rows, in: run, name, iteration)
    try grid.write(to: run.videoPath(name, iteration: iteration))
  }

  private func write<Settings>(
    _ grid: ImageGrid, in run: Run<Settings>, _ name: String, _ iteration: Int?
  ) throws {
    let png = run.times.measure("grids") { Data(grid.rendered().pngBytes()) }
    try run.write(png: png, name: name, iteration: iteration)
  }

  /// The paths of the files.
  static func paths<Settings>(
    in run: Run<Settings>, name: String, iteration: Int? = nil, ofClips: Bool
  ) -> [String] {
    [run.imagePath(name, iteration: iteration)]
      + (ofClips ? [run.videoPath(name, iteration: iteration)] : [])
  }
}

/// The images or clips that a training draws on the way, always of the same prompts and seeds.
public struct SampleGridSettings: Settings {
  /// Batches between grids; 0 for none.
  @Setting(.notNegative) public var interval = 500
  /// What is drawn, a row each; the first captions of the training data if there are none.
  public var prompts: [String] = []
  /// Images or clips of each prompt.
  @Setting(1...64) public var count = 4
  /// Of the first image of each prompt.
  public var seed: UInt64 = 0
  /// Denoising steps.
  @Setting(1...1_000) public var stepCount = 20
  /// Classifier-free guidance scale; 1 or less turns it off.
  @Setting(0...100) public var guidance = 4.0
  /// The model's own if there is none.
  public var sampler: SamplerKind?
  /// Last layers of the text encoder to skip; as in diffusers, where 1 is what others call 2.
  @Setting(0...1_000) public var clipSkip = 0
  /// How much of DDPM's noise DDIM draws, 0 to 1.
  @Setting(.fraction) public var eta = 0.0
  /// How far guidance is brought back to the standard deviation of the unguided prediction, 0 to 1.
  @Setting(.fraction) public var guidanceRescale = 0.0
  /// Whether large images are decoded in tiles, which takes less memory.
  public var vaeTiling = false

  /// The defaults.
  public init() {}

  /// Whether it is time after that batch.
  func isDue(after batch: Int, isLast: Bool) -> Bool {
    interval > 0 && (isLast || batch.isMultiple(of: interval))
  }

  /// The prompts of every grid.
  func chosenPrompts(_ source: any CaptionedMediaSource) throws -> [String] {
    guard prompts.isEmpty else { return prompts }
    return try source.captions(at: Array(0..<min(8, source.count ?? 8)))
  }

  /// Finds out now, not at the first grid, that the model cannot be sampled so, and tells which
  /// settings have no effect.
  ///
  /// - Throws: `ConfigurationError` naming the setting.
  func check(
    _ pipeline: some PromptedPipeline, source: any CaptionedMediaSource, log: RunLog
  ) throws {
    guard interval > 0 else { return }
    do {
      try pipeline.check(
        generation(source), samplerOption: "the setting samples.sampler", log: log)
    } catch GenerationError.skippedLayers(let count, let layers) {
      throw ConfigurationError.badValue(
        key: "samples.clipSkip", found: count,
        expected: "0 to \(layers), the layers of the model's text encoder")
    } catch GenerationError.eta(let eta, let kind) {
      throw ConfigurationError.badValue(
        key: "samples.eta", found: eta,
        expected: "0 with the sampler \(kind.rawValue), or samples.sampler=ddim, which has one")
    } catch {
      throw ConfigurationError.badValue(
        key: "samples.sampler", found: sampler?.rawValue ?? "none, so the model's own",
        expected:
          "one that can draw the grids in \(stepCount.counting("step")), or samples.interval=0 "
          + "(\(error))")
    }
  }

  private func generation(_ source: any CaptionedMediaSource) -> GenerationSettings {
    var settings = GenerationSettings()
    settings.stepCount = stepCount
    settings.guidance = Guidance(scale: Float(guidance), rescale: Float(guidanceRescale))
    settings.sampler = sampler
    settings.skippedTextLayerCount = clipSkip
    settings.eta = Float(eta)
    settings.isTiled = vaeTiling
    (settings.width, settings.height) = (source.width, source.height)
    settings.frames = source.frames
    return settings
  }

  func request(_ prompts: [String]) -> SampleRequest {
    SampleRequest(prompts: prompts, count: count, seed: seed)
  }

  /// Draws what a grid shows.
  func draw(
    _ pipeline: some PromptedPipeline, prompts: [String], source: any CaptionedMediaSource
  ) throws -> [Media] {
    let settings = generation(source)
    do {
      _ = try pipeline.process(settings)
    } catch var error as SamplerChoiceError {
      error.option = "the setting samples.sampler"
      throw error
    }
    let request = request(prompts)
    return try pipeline.generate(
      prompts: request.imagePrompts, seeds: request.imageSeeds, settings: settings)
  }
}

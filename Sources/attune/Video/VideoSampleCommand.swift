import ArgumentParser
import Diffusion
import Files
import GenerativeModels
import InitialNoise
import Media
import Runs
import TextToImage
import TextToVideo
import Training

/// `attune video sample --model DIR --prompt TEXT [--prompt TEXT ...] --output clips.mp4`
struct VideoSampleCommand: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample",
    abstract: "Sample clips of prompts from a text-to-video model.",
    discussion: """
      Clips of one prompt have the seeds that follow --seed; the same seeds give diffusers' noise. \
      An output that ends in .mp4, .gif or .apng is a grid of clips that play side by side, one that \
      ends in .png has the frames of each clip in a row; any other is a folder of MP4 files with \
      their prompts in metadata.jsonl.

      Examples:
        attune video sample --model models/text-to-video \\
          --prompt "a green dog is running on the grass" --output dog.mp4
        attune video sample --model models/text-to-video \\
          --prompt "a dog is running on the moon" --frames 8 --steps 10 \\
          --count 4 --output dogs.png
        attune video sample --model models/text-to-video \\
          --prompt "a monkey is playing guitar" \\
          --prior runs/monkey/prior.safetensors --output monkeys
        attune video sample --model models/stable-diffusion-1.5 \\
          --motion-adapter models/animatediff \\
          --prompt "a sailing boat" --output boat.mp4
      """)

  @OptionGroup var sample: SampleOptions

  @Option(
    help: "A folder of AnimateDiff's motion modules, to make clips with a text-to-image model.",
    completion: .directory)
  var motionAdapter: String?

  @Option(help: "Clips of each prompt.")
  var count = 1

  @Option(
    help: """
      Classifier-free guidance scale; 1 or less turns it off. As with the prior, or 7.5, unless \
      given.
      """)
  var guidance: Float?

  @Option(help: "The maximum number of clips at a time: more are faster and take more memory.")
  var batch = 4

  @Option(help: "Frames of each clip; those of the prior, or 16, unless given.")
  var frames: Int?

  @Option(help: "Frames a second.")
  var rate = 8.0

  @Option(
    name: .shortAndLong,
    help: "The MP4, GIF, APNG or PNG file of a grid, or a folder for single files.",
    completion: .file(extensions: ["mp4", "gif", "apng", "png"]))
  var output: String

  /// What would be a strange name for a folder.
  private static let otherEndings = [".jpg", ".jpeg", ".webp", ".avi", ".mov", ".webm", ".mkv"]

  func validate() throws {
    try validatePath(output, of: "output")
    if let ending = Self.otherEndings.first(where: output.lowercased().hasSuffix) {
      throw ValidationError(
        "--output ends in \(ending); end it in .mp4, .gif, .apng or .png, or name a folder")
    }
    let ranges = [
      ("count", count, 1...10_000), ("batch", batch, 1...10_000),
      ("frames", frames ?? 1, 1...1_024),
    ]
    for (name, number, range) in ranges { try validateRange(name, number, range) }
    guard (0.1...1_000).contains(rate) else {
      throw ValidationError("--rate is \(rate), expected 0.1 to 1000")
    }
    if let guidance { try validateGuidance(guidance) }
  }

  func run() throws { try sample.computing.run(isQuiet: sample.quiet, compute) }

  private func compute() throws {
    let communicator = try Ranks.join()
    let log = RunLog(isQuiet: sample.quiet)
    let pipeline = try openPipeline(log)
    var usual = GenerationSettings()
    usual.batchSize = batch
    usual.frames = frames
    let clips = ClipOutput(path: output, sample: sample, count: count, frameRate: rate)
    let media = try sample.draw(
      with: pipeline, usual: usual, guidance: guidance, count: count, over: communicator,
      log: log
    ) {
      guard communicator.isFirst else { return }
      try clips.prepare(shape: $0, reduction: pipeline.reduction)
    }
    guard communicator.isFirst else { return }
    try clips.write(media)
    sample.report(output, media, noun: "clip")
  }

  /// A model of clips of any kind, or one of images with motion modules.
  private func openPipeline(_ log: RunLog) throws -> any ClipPipeline {
    let source = sample.drawing.source(sample.model)
    var pipeline: any ClipPipeline
    if let motionAdapter {
      let images = try TextToImagePipeline(source, log: log)
      pipeline = AnimateDiffPipeline(
        try AnimateDiffModel(images: images.model, adapterFolder: motionAdapter))
    } else {
      let opened = try GenerativeModelKind.open(source, log: log).pipeline
      guard let clips = opened as? any ClipPipeline else {
        throw ImageCommandError(
          description:
            "\(sample.model.printable) is a model of images; sample it with attune image "
            + "sample, or add motion modules with --motion-adapter")
      }
      pipeline = clips
    }
    pipeline.frameRate = rate
    return pipeline
  }
}

/// Where clips go: a grid that plays or lies still, or a folder.
private struct ClipOutput {
  let path: String
  let sample: SampleOptions
  let count: Int
  let frameRate: Double

  /// The frames of each clip in a row.
  private var liesStill: Bool { path.lowercased().hasSuffix(".png") }
  /// All clips side by side.
  private var plays: Bool { !liesStill && VideoSettings.Container(path: path) != nil }

  /// Finds out what cannot be written before hours of work are lost.
  ///
  /// - Parameters:
  ///   - shape: of a sample, `[F, h, w, C]`.
  ///   - reduction: pixels of a frame for each of its places.
  /// - Throws: `FileError` or `ImageCommandError`.
  func prepare(shape: [Int], reduction: Int) throws {
    guard liesStill || plays else { return try SampleFolder(path: path).create() }
    try AtomicFile.checkWritable(path)
    let blank = Image(
      width: shape[2] * reduction, height: shape[1] * reduction, filledWith: .white)
    let clip = Media.clip(
      Clip(frames: [Image](repeating: blank, count: shape[0]), frameRate: frameRate))
    let grid = grid([Media](repeating: clip, count: sample.prompts.count * count))
    try sample.checkSize(liesStill ? grid.rows.size : grid.size)
  }

  func write(_ clips: [Media]) throws {
    if liesStill {
      try grid(clips).rows.rendered().writePNG(to: path)
    } else if plays {
      try grid(clips).write(to: path)
    } else {
      try SampleFolder(path: path).write(clips, of: sample.request(count: count))
    }
  }

  private func grid(_ clips: [Media]) -> ClipGrid {
    sample.request(count: count).grid(
      clips: clips, magnification: sample.magnify, hasCaptions: sample.captions)
  }
}

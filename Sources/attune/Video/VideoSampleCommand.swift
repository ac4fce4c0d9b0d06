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
struct VideoSampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample",
    abstract: "Sample clips of prompts from a text-to-video model.",
    discussion: """
      Clips of one prompt have the seeds that follow --seed; the same seeds give diffusers' noise. \
      An output that ends in .mp4 is a grid of clips that play side by side, one that ends in .png \
      has the frames of each clip in a row; any other is a folder of MP4 files with their prompts \
      in metadata.jsonl.

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

  @Option(help: "The model folder, in the layout of diffusers.", completion: .directory)
  var model: String

  @Option(
    help: "A folder of AnimateDiff's motion modules, to make clips with a text-to-image model.",
    completion: .directory)
  var motionAdapter: String?

  @Option(name: .customLong("prompt"), help: "A prompt to show; may be given again for more.")
  var prompts: [String]

  @Option(
    help: "A noise prior that attune noise optimize learned, to start from.",
    completion: .file(extensions: ["safetensors"]))
  var prior: String?

  @Option(help: "The negative prompt; the prior's own unless given.")
  var negativePrompt: String?

  @Option(help: "Clips of each prompt.")
  var count = 1

  @Option(help: "The seed of the first clip of each prompt; -1 for a random one.")
  var seed: UInt64 = 0

  @Option(help: "Denoising steps; those of the prior, or 20, unless given.")
  var steps: Int?

  @Option(
    help: "The sampler: \(SamplerKind.names); the prior's, or the model's own, unless given.")
  var sampler: SamplerKind?

  @Option(
    help: """
      Classifier-free guidance scale; 1 or less turns it off. As with the prior, or 7.5, unless \
      given.
      """)
  var guidance: Float?

  @OptionGroup var drawing: DrawingOptions

  @Option(help: "The maximum number of clips at a time: more are faster and take more memory.")
  var batch = 4

  @Option(help: "Frames of each clip; those of the prior, or 16, unless given.")
  var frames: Int?

  @Option(help: "Pixels in a row of each frame; the model's own unless given.")
  var width: Int?

  @Option(help: "Rows of each frame; the model's own unless given.")
  var height: Int?

  @Option(help: "Frames a second.")
  var rate = 8.0

  @Option(help: "Show every pixel of a grid as a square of this many; small frames grow.")
  var magnify: Int?

  @Flag(inversion: .prefixedNo, help: "Write prompts on the grid.")
  var captions = true

  @Option(
    name: .shortAndLong, help: "The MP4 or PNG file of a grid, or a folder for single files.",
    completion: .file(extensions: ["mp4", "png"]))
  var output: String

  @OptionGroup var threads: ThreadOptions

  @Flag(help: "Print warnings and errors only.")
  var quiet = false

  /// What would be a strange name for a folder.
  private static let otherEndings = [".jpg", ".jpeg", ".webp", ".gif", ".avi", ".mov", ".webm"]

  private var request: SampleRequest { SampleRequest(prompts: prompts, count: count, seed: seed) }

  func validate() throws {
    try validatePath(output, of: "output")
    if let ending = Self.otherEndings.first(where: output.lowercased().hasSuffix) {
      throw ValidationError("--output ends in \(ending); end it in .mp4 or .png, or name a folder")
    }
    guard !prompts.isEmpty else { throw ValidationError("give at least one --prompt") }
    let ranges = [
      ("count", count, 1...10_000), ("steps", steps ?? 1, 1...10_000),
      ("batch", batch, 1...10_000), ("frames", frames ?? 1, 1...1_024),
      ("width", width ?? 1, 1...16_384), ("height", height ?? 1, 1...16_384),
      ("magnify", magnify ?? 1, 1...64),
    ]
    for (name, number, range) in ranges { try validateRange(name, number, range) }
    guard (0.1...1_000).contains(rate) else {
      throw ValidationError("--rate is \(rate), expected 0.1 to 1000")
    }
    if let guidance { try validateGuidance(guidance) }
  }

  func run() throws {
    threads.apply()
    let log = RunLog(isQuiet: quiet)
    let pipeline = try openPipeline(log)
    log.noteWeights(ofModel: model)
    log.warnOfCutPrompts(prompts, tokenizer: pipeline.tokenizer)
    let priorFile = try prior.map { try NoisePriorFile(path: $0) }
    var settings = generationSettings(priorFile?.origin)
    let negativePrompt = negativePrompt ?? priorFile?.origin.negativePrompt ?? ""
    if let prior, let priorFile {
      try priorFile.prepare(
        path: prior, model: pipeline, fingerprint: pipeline.fingerprint, prompts: prompts,
        negativePrompt: negativePrompt, settings: &settings, log: log)
    }
    try pipeline.check(settings, negativePrompt: negativePrompt, log: log)
    let clips = ClipOutput(
      path: output, request: request, frameRate: rate, magnification: magnify,
      hasCaptions: captions)
    try clips.prepare(shape: pipeline.sampleShape(settings), reduction: pipeline.reduction)
    let batchCount = (prompts.count * count + batch - 1) / batch
    var progress = ProgressBar(
      "sample", total: try pipeline.process(settings).transitionCount * batchCount, unit: "step",
      isQuiet: quiet)
    let media = try pipeline.generate(
      prompts: request.imagePrompts, negativePrompts: [negativePrompt],
      seeds: request.imageSeeds, settings: settings, prior: priorFile?.prior
    ) { done, _ in progress.update(done) }
    try clips.write(media)
    if !quiet {
      StandardError.write(
        "wrote \(output.printable): \(media.count.counting("clip")) of "
          + "\(media[0].frames.count.counting("frame")) of \(media[0].width)x\(media[0].height), "
          + "seeds from \(seed)")
    }
  }

  /// A model of clips of any kind, or one of images with motion modules.
  private func openPipeline(_ log: RunLog) throws -> any ClipPipeline {
    var pipeline: any ClipPipeline
    if let motionAdapter {
      let images = try TextToImagePipeline(
        folder: model, embeddings: drawing.embeddings, log: log)
      pipeline = AnimateDiffPipeline(
        try AnimateDiffModel(images: images.model, adapterFolder: motionAdapter))
    } else {
      let opened = try GenerativeModelKind.open(
        folder: model, embeddings: drawing.embeddings, log: log
      ).pipeline
      guard let clips = opened as? any ClipPipeline else {
        throw ImageCommandError(
          description: "\(model.printable) is a model of images; sample it with attune image "
            + "sample, or add motion modules with --motion-adapter")
      }
      pipeline = clips
    }
    pipeline.frameRate = rate
    return pipeline
  }

  /// As told, else as a prior was learned, else as usual.
  private func generationSettings(_ origin: PriorOrigin?) -> GenerationSettings {
    var settings = GenerationSettings()
    settings.stepCount = steps ?? origin?.stepCount ?? settings.stepCount
    settings.guidance = Guidance(
      scale: guidance ?? origin?.guidance ?? settings.guidance.scale)
    settings.sampler = sampler ?? origin?.sampler
    drawing.apply(to: &settings, origin: origin)
    settings.batchSize = batch
    (settings.width, settings.height, settings.frames) = (width, height, frames)
    return settings
  }
}

/// Where clips go: a grid that plays or lies still, or a folder.
private struct ClipOutput {
  let path: String
  let request: SampleRequest
  let frameRate: Double
  let magnification: Int?
  let hasCaptions: Bool

  private func ends(in ending: String) -> Bool { path.lowercased().hasSuffix(ending) }

  /// Finds out what cannot be written before hours of work are lost.
  ///
  /// - Parameters:
  ///   - shape: of a sample, `[F, h, w, C]`.
  ///   - reduction: pixels of a frame for each of its places.
  /// - Throws: `FileError` or `ImageCommandError`.
  func prepare(shape: [Int], reduction: Int) throws {
    guard ends(in: ".mp4") || ends(in: ".png") else { return try SampleFolder(path: path).create() }
    try AtomicFile.checkWritable(path)
    let blank = Image(
      width: shape[2] * reduction, height: shape[1] * reduction, filledWith: .white)
    let clip = Media.clip(
      Clip(frames: [Image](repeating: blank, count: shape[0]), frameRate: frameRate))
    let clips = [Media](repeating: clip, count: request.prompts.count * request.count)
    let grid = ends(in: ".mp4") ? playing(clips, frame: 0) : rows(clips)
    let size = grid.size
    guard size.width * size.height <= Image.pixelCountLimit else {
      throw ImageCommandError(
        description:
          "the grid would have \(size.width)x\(size.height) pixels; lower --count or --magnify, or "
          + "name a folder with --output")
    }
  }

  func write(_ clips: [Media]) throws {
    if ends(in: ".mp4") {
      let frames = clips[0].frames.indices.map { playing(clips, frame: $0).rendered() }
      try Clip(frames: frames, frameRate: frameRate).writeMP4(to: path)
    } else if ends(in: ".png") {
      try rows(clips).rendered().writePNG(to: path)
    } else {
      try SampleFolder(path: path).write(clips, of: request)
    }
  }

  /// A frame of all clips.
  private func playing(_ clips: [Media], frame: Int) -> ImageGrid {
    request.grid(
      clips.map { $0.frames[frame] }, magnification: magnification, hasCaptions: hasCaptions)
  }

  /// The frames of each clip in a row.
  private func rows(_ clips: [Media]) -> ImageGrid {
    var grid = ImageGrid(
      clips.map(\.still), columnCount: 1, captions: hasCaptions ? request.imagePrompts : [])
    grid.magnification = magnification ?? max(1, min(8, 128 / max(1, clips[0].width)))
    return grid
  }
}

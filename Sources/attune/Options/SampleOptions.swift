import ArgumentParser
import Diffusion
import Files
import GenerativeModels
import InitialNoise
import Media
import Runs
import Tensors
import TextToImage
import Training

/// What `image sample` and `video sample` have in common.
struct SampleOptions: ParsableArguments {
  @Option(help: "The model folder, in the layout of diffusers.", completion: .directory)
  var model: String

  @Option(name: .customLong("prompt"), help: "A prompt to draw; may be given again for more.")
  var prompts: [String]

  @Option(
    help: "A noise prior that attune noise optimize learned, to start from.",
    completion: .file(extensions: ["safetensors"]))
  var prior: String?

  @Option(help: "The negative prompt; the prior's own unless given.")
  var negativePrompt: String?

  @Option(help: "The seed of the first one of each prompt; -1 for a random one.")
  var seed: UInt64 = 0

  @Option(help: "Denoising steps; those of the prior, or 20, unless given.")
  var steps: Int?

  @Option(
    help: "The sampler: \(SamplerKind.names); the prior's, or the model's own, unless given.")
  var sampler: SamplerKind?

  @OptionGroup var drawing: DrawingOptions

  @Option(help: "Pixels in a row of each image or frame; the model's own unless given.")
  var width: Int?

  @Option(help: "Rows of each image or frame; the model's own unless given.")
  var height: Int?

  @Option(help: "Show every pixel of a grid as a square of this many; small images grow.")
  var magnify: Int?

  @Flag(inversion: .prefixedNo, help: "Write prompts on the grid.")
  var captions = true

  @OptionGroup var computing: ComputingOptions

  @Flag(help: "Print warnings and errors only.")
  var quiet = false

  func validate() throws {
    guard !prompts.isEmpty else { throw ValidationError("give at least one --prompt") }
    let ranges = [
      ("steps", steps ?? 1, 1...10_000), ("width", width ?? 1, 1...16_384),
      ("height", height ?? 1, 1...16_384), ("magnify", magnify ?? 1, 1...64),
    ]
    for (name, number, range) in ranges { try validateRange(name, number, range) }
  }

  /// Some of each prompt.
  func request(count: Int) -> SampleRequest {
    SampleRequest(prompts: prompts, count: count, seed: seed)
  }

  /// Checks everything, then draws.
  ///
  /// - Parameters:
  ///   - pipeline: draws.
  ///   - usual: what is as usual with the command where neither options nor the prior tell; its
  ///     batch size and frames count in any case.
  ///   - guidance: as told; as with the prior, or as usual, if nil.
  ///   - count: how many of each prompt.
  ///   - communicator: divides the work.
  ///   - prepare: makes sure that samples of a shape can be written, before they are drawn.
  func draw(
    with pipeline: some PromptedPipeline, usual: GenerationSettings, guidance: Float?, count: Int,
    over communicator: any Communicator, log: RunLog,
    prepare: (_ shape: [Int]) throws -> Void
  ) throws -> [Media] {
    log.noteWeights(ofModel: model)
    log.warnOfCutPrompts(prompts, tokenizer: pipeline.tokenizer)
    let priorFile = try prior.map { try NoisePriorFile(path: $0) }
    let origin = priorFile?.origin
    var settings = usual
    settings.stepCount = steps ?? origin?.stepCount ?? usual.stepCount
    settings.guidance = Guidance(scale: guidance ?? origin?.guidance ?? usual.guidance.scale)
    settings.sampler = sampler ?? origin?.sampler
    drawing.apply(to: &settings, origin: origin)
    (settings.width, settings.height) = (width, height)
    let negativePrompt = negativePrompt ?? origin?.negativePrompt ?? ""
    if let prior, let priorFile {
      try priorFile.prepare(
        path: prior, model: pipeline, fingerprint: pipeline.fingerprint, prompts: prompts,
        negativePrompt: negativePrompt, settings: &settings, log: log)
    }
    try pipeline.check(settings, negativePrompt: negativePrompt, log: log)
    try prepare(pipeline.sampleShape(settings))
    let request = request(count: count)
    let size = settings.batchSize
    let own = communicator.fraction(of: request.imagePrompts.count)
    let batchCount = (own.count + size - 1) / size
    var progress = ProgressBar(
      "sample", total: try pipeline.process(settings).transitionCount * batchCount, unit: "step",
      isQuiet: quiet)
    return try pipeline.generate(
      prompts: request.imagePrompts, negativePrompts: [negativePrompt],
      seeds: request.imageSeeds, settings: settings, prior: priorFile?.prior, over: communicator
    ) { done, _ in progress.update(done) }
  }

  /// Refuses a grid that no file holds.
  ///
  /// - Throws: `ImageCommandError`.
  func checkSize(_ size: (width: Int, height: Int)) throws {
    guard size.width * size.height <= Image.pixelCountLimit else {
      throw ImageCommandError(
        description:
          "the grid would have \(size.width)x\(size.height) pixels; lower --count or --magnify, or "
          + "name a folder with --output")
    }
  }

  /// Tells what was written.
  func report(_ output: String, _ media: [Media], noun: String) {
    guard !quiet else { return }
    let frames = media[0].frameRate == nil ? "" : "\(media[0].frames.count.counting("frame")) of "
    StandardError.write(
      "wrote \(output.printable): \(media.count.counting(noun)) of \(frames)"
        + "\(media[0].width)x\(media[0].height), seeds from \(seed)")
  }
}

import Training
import ArgumentParser
import Diffusion
import Files
import Foundation
import GenerativeModels
import InitialNoise
import Media
import Runs
import TextToImage

/// `attune image sample --model DIR --prompt TEXT [--prompt TEXT ...] --output grid.png`
struct ImageSampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample",
    abstract: "Sample images of prompts from a text-to-image model.",
    discussion: """
      Images of one prompt have the seeds that follow --seed; the same seeds give diffusers' \
      latents. An output that ends in .png is a grid; any other is a folder of PNG files with their \
      prompts in metadata.jsonl.

      Examples:
        attune image sample --model checkpoints/dolls \\
          --prompt "an elf in a red robe" --output elves.png
        attune image sample --model checkpoints/dolls \\
          --prompt "a grey orc in a white shirt" --prompt "a human in a blue robe" \\
          --count 64 --guidance 3 --output images
        attune image sample --model checkpoints/dolls \\
          --prompt "an elf in a red robe" \\
          --prior runs/elf/prior.safetensors --output elves.png
      """)

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

  @Option(help: "Images of each prompt.")
  var count = 16

  @Option(help: "The seed of the first image of each prompt; -1 for a random one.")
  var seed: UInt64 = 0

  @Option(help: "Denoising steps; those of the prior, or 20, unless given.")
  var steps: Int?

  @Option(
    help: "The sampler: \(SamplerKind.names); the prior's, or the model's own, unless given.")
  var sampler: SamplerKind?

  @Option(
    help: """
      Classifier-free guidance scale; 1 or less turns it off. As with the prior, or 4, unless given.
      """)
  var guidance: Float?

  @OptionGroup var drawing: DrawingOptions

  @Option(help: "The maximum number of images at a time: more are faster and take more memory.")
  var batch = 16

  @Option(help: "Pixels in a row of each image; the model's own unless given.")
  var width: Int?

  @Option(help: "Rows of each image; the model's own unless given.")
  var height: Int?

  @Option(help: "Show every pixel of a grid as a square of this many; small images grow.")
  var magnify: Int?

  @Flag(inversion: .prefixedNo, help: "Write prompts on the grid.")
  var captions = true

  @Option(
    name: .shortAndLong, help: "The PNG file of a grid, or a folder for single files.",
    completion: .file(extensions: ["png"]))
  var output: String

  @OptionGroup var threads: ThreadOptions

  @Flag(help: "Print warnings and errors only.")
  var quiet = false

  /// What would be a strange name for a folder.
  private static let otherEndings = [".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tiff", ".mp4"]

  private var isGrid: Bool { output.lowercased().hasSuffix(".png") }

  private var request: SampleRequest { SampleRequest(prompts: prompts, count: count, seed: seed) }

  func validate() throws {
    try validatePath(output, of: "output")
    if let ending = Self.otherEndings.first(where: output.lowercased().hasSuffix) {
      throw ValidationError("--output ends in \(ending); end it in .png, or name a folder")
    }
    guard !prompts.isEmpty else { throw ValidationError("give at least one --prompt") }
    let ranges = [
      ("count", count, 1...100_000), ("steps", steps ?? 1, 1...10_000),
      ("batch", batch, 1...100_000),
      ("width", width ?? 1, 1...16_384), ("height", height ?? 1, 1...16_384),
      ("magnify", magnify ?? 1, 1...64),
    ]
    for (name, number, range) in ranges { try validateRange(name, number, range) }
    if let guidance { try validateGuidance(guidance) }
  }

  func run() throws {
    threads.apply()
    let log = RunLog(isQuiet: quiet)
    let pipeline = try TextToImagePipeline(
      folder: model, embeddings: drawing.embeddings, log: log)
    log.noteWeights(ofModel: model)
    log.warnOfCutPrompts(prompts, tokenizer: pipeline.model.tokenizer)
    let priorFile = try prior.map { try NoisePriorFile(path: $0) }
    var settings = generationSettings(priorFile?.origin)
    let negativePrompt = negativePrompt ?? priorFile?.origin.negativePrompt ?? ""
    if let prior, let priorFile {
      try priorFile.prepare(
        path: prior, model: pipeline, fingerprint: pipeline.model.fingerprint, prompts: prompts,
        negativePrompt: negativePrompt, settings: &settings, log: log)
    }
    try pipeline.check(settings, negativePrompt: negativePrompt, log: log)
    try prepareOutput(pipeline, settings)
    let batchCount = (prompts.count * count + batch - 1) / batch
    var progress = ProgressBar(
      "sample", total: try pipeline.process(settings).transitionCount * batchCount, unit: "step",
      isQuiet: quiet)
    let media = try pipeline.generate(
      prompts: request.imagePrompts, negativePrompts: [negativePrompt],
      seeds: request.imageSeeds, settings: settings, prior: priorFile?.prior
    ) { done, _ in progress.update(done) }
    let drawn = media.map(\.still)
    if isGrid {
      try request.grid(drawn, magnification: magnify, hasCaptions: captions).rendered()
        .writePNG(to: output)
    } else {
      try SampleFolder(path: output).write(media, of: request)
    }
    if !quiet {
      StandardError.write(
        "wrote \(output.printable): \(drawn.count.counting("image")) of "
          + "\(drawn[0].width)x\(drawn[0].height), seeds from \(seed)")
    }
  }

  /// As told, else as a prior was learned, else as usual.
  private func generationSettings(_ origin: PriorOrigin?) -> GenerationSettings {
    var settings = GenerationSettings()
    settings.stepCount = steps ?? origin?.stepCount ?? 20
    settings.guidance = Guidance(scale: guidance ?? origin?.guidance ?? 4)
    settings.sampler = sampler ?? origin?.sampler
    drawing.apply(to: &settings, origin: origin)
    settings.batchSize = batch
    (settings.width, settings.height) = (width, height)
    return settings
  }

  /// Finds out what cannot be written before hours of work are lost.
  private func prepareOutput(
    _ pipeline: TextToImagePipeline, _ settings: GenerationSettings
  ) throws {
    guard isGrid else { return try SampleFolder(path: output).create() }
    try AtomicFile.checkWritable(output)
    let shape = try pipeline.sampleShape(settings)
    let (width, height) = (
      shape[1] * pipeline.model.reduction, shape[0] * pipeline.model.reduction
    )
    let blank = Image(width: width, height: height, filledWith: .white)
    let blanks = [Image](repeating: blank, count: prompts.count * count)
    let size = request.grid(blanks, magnification: magnify, hasCaptions: captions).size
    guard size.width * size.height <= Image.pixelCountLimit else {
      throw ImageCommandError(
        description:
          "the grid would have \(size.width)x\(size.height) pixels; lower --count or --magnify, or "
          + "name a folder with --output")
    }
  }
}

extension SamplerKind: ExpressibleByArgument {
  static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}

/// A folder of PNG files, or of MP4 files of clips, with their prompts in `metadata.jsonl`, as Hugging Face's image folders
/// have it; training can read it.
struct SampleFolder {
  let path: String

  /// Makes the folder, unless it is there.
  func create() throws {
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true)
    } catch {
      throw ImageCommandError(
        description: "\(path.printable) cannot be made a folder: \(error.localizedDescription)")
    }
  }

  private struct Row: Encodable {
    let fileName: String
    let text: String
    let seed: UInt64

    enum CodingKeys: String, CodingKey {
      case fileName = "file_name"
      case text, seed
    }
  }

  /// Writes what a request has given.
  func write(_ drawn: [Media], of request: SampleRequest) throws {
    let (prompts, seeds) = (request.imagePrompts, request.imageSeeds)
    var lines = ""
    for (index, media) in drawn.enumerated() {
      let digits = String(index)
      var name = String(repeating: "0", count: max(0, 5 - digits.count)) + digits
      switch media {
      case .image(let image):
        name += ".png"
        try image.writePNG(to: "\(path)/\(name)")
      case .clip(let clip):
        name += ".mp4"
        try clip.writeMP4(to: "\(path)/\(name)")
      }
      let row = Row(fileName: name, text: prompts[index], seed: seeds[index])
      lines += try row.jsonLine + "\n"
    }
    try AtomicFile.write(lines, to: "\(path)/metadata.jsonl")
  }
}

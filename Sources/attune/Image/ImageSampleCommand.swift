import ArgumentParser
import Diffusion
import Files
import Foundation
import GenerativeModels
import InitialNoise
import Media
import Runs
import TextToImage
import Training

/// `attune image sample --model DIR --prompt TEXT [--prompt TEXT ...] --output grid.png`
struct ImageSampleCommand: RankedCommand {
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

  @OptionGroup var sample: SampleOptions

  @Option(help: "Images of each prompt.")
  var count = 16

  @Option(
    help: """
      Classifier-free guidance scale; 1 or less turns it off. As with the prior, or 4, unless given.
      """)
  var guidance: Float?

  @Option(help: "The maximum number of images at a time: more are faster and take more memory.")
  var batch = 16

  @Option(
    name: .shortAndLong, help: "The PNG file of a grid, or a folder for single files.",
    completion: .file(extensions: ["png"]))
  var output: String

  /// What would be a strange name for a folder.
  private static let otherEndings = [".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tiff", ".mp4"]

  private var isGrid: Bool { output.lowercased().hasSuffix(".png") }

  func validate() throws {
    try validatePath(output, of: "output")
    if let ending = Self.otherEndings.first(where: output.lowercased().hasSuffix) {
      throw ValidationError("--output ends in \(ending); end it in .png, or name a folder")
    }
    try validateRange("count", count, 1...100_000)
    try validateRange("batch", batch, 1...100_000)
    if let guidance { try validateGuidance(guidance) }
  }

  func run() throws { try sample.computing.run(isQuiet: sample.quiet, compute) }

  private func compute() throws {
    let communicator = try Ranks.join()
    let log = RunLog(isQuiet: sample.quiet)
    let pipeline = try TextToImagePipeline(sample.drawing.source(sample.model), log: log)
    var usual = GenerationSettings()
    usual.guidance = Guidance(scale: 4)
    usual.batchSize = batch
    let media = try sample.draw(
      with: pipeline, usual: usual, guidance: guidance, count: count, over: communicator,
      log: log
    ) { shape in
      guard communicator.isFirst else { return }
      try prepareOutput(width: shape[1] * pipeline.reduction, height: shape[0] * pipeline.reduction)
    }
    guard communicator.isFirst else { return }
    if isGrid {
      try grid(media.map(\.still)).rendered().writePNG(to: output)
    } else {
      try SampleFolder(path: output).write(media, of: sample.request(count: count))
    }
    sample.report(output, media, noun: "image")
  }

  private func grid(_ images: [Image]) -> ImageGrid {
    sample.request(count: count).grid(
      images, magnification: sample.magnify, hasCaptions: sample.captions)
  }

  /// Finds out what cannot be written before hours of work are lost.
  private func prepareOutput(width: Int, height: Int) throws {
    guard isGrid else { return try SampleFolder(path: output).create() }
    try AtomicFile.checkWritable(output)
    let blank = Image(width: width, height: height, filledWith: .white)
    try sample.checkSize(
      grid([Image](repeating: blank, count: sample.prompts.count * count)).size)
  }
}

extension SamplerKind: ExpressibleByArgument {
  static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}

/// A folder of PNG files, or of MP4 files of clips, with their prompts in `metadata.jsonl`, as Hugging
/// Face's image folders have it; training can read it.
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

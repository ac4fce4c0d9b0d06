import ArgumentParser
import Diffusion
import GenerativeModels
import InitialNoise
import Runs
import TextToImage
import Training

/// How images are drawn beyond steps, sampler and guidance: the options of every command that draws
/// with a model that it does not change.
struct DrawingOptions: ParsableArguments {
  @OptionGroup var added: AddedPartsOptions

  @Option(
    help: """
      The folder of an autoencoder, such as a tiny one (TAESD), to decode with in place of the \
      model's own.
      """,
    completion: .directory)
  var decoder: String?

  @Option(
    help: """
      Last layers of the text encoder to skip; as in diffusers, where 1 is what others call 2.
      """)
  var clipSkip: Int?

  @Option(help: "The fraction of DDPM's noise that DDIM draws, 0 to 1.")
  var eta: Float?

  @Option(
    help: """
      Rescale guidance to the standard deviation of the unguided prediction, by this much, 0 to 1.
      """)
  var guidanceRescale: Float?

  @Flag(help: "Decode large images in tiles, which takes less memory.")
  var vaeTiling = false

  func validate() throws {
    if let decoder { try validatePath(decoder, of: "decoder") }
    if let clipSkip { try validateRange("clip-skip", clipSkip, 0...1_000) }
    for (name, number) in [("eta", eta), ("guidance-rescale", guidanceRescale)] {
      guard let number, !(0...1).contains(number) else { continue }
      throw ValidationError("--\(name) is \(number), expected 0 to 1")
    }
  }

  /// A model folder with what comes beside it.
  func source(_ folder: String) -> ModelSource {
    ModelSource(
      folder: folder, embeddings: added.embeddings, loras: added.loras, decoder: decoder)
  }

  /// As told, else as a prior was learned.
  func apply(to settings: inout GenerationSettings, origin: PriorOrigin? = nil) {
    settings.skippedTextLayerCount = clipSkip ?? origin?.clipSkip ?? 0
    settings.eta = eta ?? origin?.eta ?? 0
    settings.guidance.rescale = guidanceRescale ?? origin?.guidanceRescale ?? 0
    settings.isTiled = vaeTiling
  }

  /// The same as settings of a run.
  var overrides: [String] {
    var overrides = added.overrides()
    if let decoder { overrides.append(override("decoder", text: decoder)) }
    if let clipSkip { overrides.append("sampling.clipSkip=\(clipSkip)") }
    if let eta { overrides.append("sampling.eta=\(eta)") }
    if let guidanceRescale { overrides.append("sampling.guidanceRescale=\(guidanceRescale)") }
    if vaeTiling { overrides.append("sampling.vaeTiling=true") }
    return overrides
  }
}

/// `--embedding` and `--lora`: words that a model gets beside its own, and changes of its weights.
struct AddedPartsOptions: ParsableArguments {
  @Option(
    name: .customLong("embedding"),
    help: """
      A learned token (textual inversion): its file, or TOKEN=FILE; may be given again for more.
      """,
    completion: .file())
  var embeddings: [String] = []

  @Option(
    name: .customLong("lora"),
    help: """
      Low-rank changes of the weights (LoRA): their file, or FILE:SCALE; may be given again for \
      more.
      """,
    completion: .file())
  var loras: [String] = []

  func validate() throws {
    for path in embeddings { try validatePath(path, of: "embedding") }
    for path in loras { try validatePath(path, of: "lora") }
  }

  /// The same as settings of a run, in a block or at the top.
  func overrides(in block: String? = nil) -> [String] {
    [("embeddings", embeddings), ("loras", loras)].compactMap { key, values in
      guard !values.isEmpty else { return nil }
      let path = block.map { "\($0).\(key)" } ?? key
      return "\(path)=[\(values.map(quotedYAML).joined(separator: ", "))]"
    }
  }
}

import ArgumentParser
import Diffusion
import GenerativeModels
import InitialNoise
import Runs
import TextToImage

/// How images are drawn beyond steps, sampler and guidance: the options of every command that draws
/// with a model that it does not change.
struct DrawingOptions: ParsableArguments {
  @OptionGroup var tokens: EmbeddingOptions

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
    if let clipSkip { try validateRange("clip-skip", clipSkip, 0...1_000) }
    for (name, number) in [("eta", eta), ("guidance-rescale", guidanceRescale)] {
      guard let number, !(0...1).contains(number) else { continue }
      throw ValidationError("--\(name) is \(number), expected 0 to 1")
    }
  }

  /// Files of learned tokens.
  var embeddings: [String] { tokens.embeddings }

  /// As told, else as a prior was learned.
  func apply(to settings: inout GenerationSettings, origin: PriorOrigin? = nil) {
    settings.skippedTextLayerCount = clipSkip ?? origin?.clipSkip ?? 0
    settings.eta = eta ?? origin?.eta ?? 0
    settings.guidance.rescale = guidanceRescale ?? origin?.guidanceRescale ?? 0
    settings.isTiled = vaeTiling
  }

  /// The same as settings of a run.
  var overrides: [String] {
    var overrides = tokens.overrides("embeddings")
    if let clipSkip { overrides.append("sampling.clipSkip=\(clipSkip)") }
    if let eta { overrides.append("sampling.eta=\(eta)") }
    if let guidanceRescale { overrides.append("sampling.guidanceRescale=\(guidanceRescale)") }
    if vaeTiling { overrides.append("sampling.vaeTiling=true") }
    return overrides
  }
}

/// `--embedding`: words that a model gets beside its own.
struct EmbeddingOptions: ParsableArguments {
  @Option(
    name: .customLong("embedding"),
    help: """
      A learned token (textual inversion): its file, or TOKEN=FILE; may be given again for more.
      """,
    completion: .file())
  var embeddings: [String] = []

  func validate() throws {
    for path in embeddings { try validatePath(path, of: "embedding") }
  }

  /// The same as the setting `key` of a run.
  func overrides(_ key: String) -> [String] {
    embeddings.isEmpty
      ? [] : ["\(key)=[\(embeddings.map(quotedYAML).joined(separator: ", "))]"]
  }
}

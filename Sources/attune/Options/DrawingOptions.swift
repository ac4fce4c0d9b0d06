import ArgumentParser
import Diffusion
import GenerativeModels
import InitialNoise
import Runs
import TextToImage

/// How images are drawn beyond steps, sampler and guidance: the options of every command that draws
/// with a model that it does not change.
struct DrawingOptions: ParsableArguments {
  @Option(
    name: .customLong("embedding"),
    help: """
      A learned token (textual inversion): its file, or TOKEN=FILE; may be given again for more.
      """,
    completion: .file())
  var embeddings: [String] = []

  @Option(
    help: """
      Last layers of the text encoder to skip; as in diffusers, where 1 is what others call 2.
      """)
  var clipSkip: Int?

  @Option(help: "How much of DDPM's noise DDIM draws, 0 to 1.")
  var eta: Float?

  @Option(
    help: """
      How far guidance is brought back to the standard deviation of the unguided prediction, 0 to 1.
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
    for path in embeddings { try validatePath(path, of: "embedding") }
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
    var overrides: [String] = []
    if !embeddings.isEmpty {
      overrides.append("embeddings=[\(embeddings.map(quotedYAML).joined(separator: ", "))]")
    }
    if let clipSkip { overrides.append("sampling.clipSkip=\(clipSkip)") }
    if let eta { overrides.append("sampling.eta=\(eta)") }
    if let guidanceRescale { overrides.append("sampling.guidanceRescale=\(guidanceRescale)") }
    if vaeTiling { overrides.append("sampling.vaeTiling=true") }
    return overrides
  }
}

extension TextToImagePipeline {
  /// Reads a model folder and learned tokens, and tells which.
  ///
  /// - Parameters:
  ///   - folder: in the layout of diffusers.
  ///   - embeddings: files of tokens, each as `FILE` or `TOKEN=FILE`.
  init(folder: String, embeddings: [String], log: RunLog) throws {
    let pipeline = try TextToImagePipeline(folder: folder)
    if embeddings.isEmpty, let path = TokenEmbedding.path(in: folder) {
      log.warn("\(path.printable) is left out; give --embedding to use its token")
    }
    let read = try embeddings.flatMap { text in
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return parts.count == 2
        ? try TokenEmbedding.read(path: String(parts[1]), token: String(parts[0]))
        : try TokenEmbedding.read(path: text)
    }
    for embedding in read {
      log.say(
        "\(embedding.path.printable): the token \(embedding.token.printable), "
          + embedding.vectors.shape[0].counting("vector"))
    }
    self.init(try pipeline.model.adding(read))
  }

  /// Finds out what the model cannot do before anything is drawn, and says what will have no effect.
  ///
  /// - Parameters:
  ///   - settings: how images are drawn.
  ///   - negativePrompt: what guidance leads away from.
  ///   - samplerOption: the option or key that chooses a sampler, for errors.
  func check(
    _ settings: GenerationSettings, negativePrompt: String = "",
    samplerOption: String = "--sampler", log: RunLog
  ) throws {
    do {
      _ = try process(settings)
    } catch var error as SamplerChoiceError {
      error.option = samplerOption
      throw error
    }
    _ = try sampleShape(settings)
    let layers = model.textEncoder.configuration.layerCount
    guard settings.skippedTextLayerCount <= layers else {
      throw GenerationError.skippedLayers(settings.skippedTextLayerCount, of: layers)
    }
    if !settings.guidance.isOn {
      let off = "guidance of \(settings.guidance.scale) is off, so that"
      if !negativePrompt.isEmpty { log.warn("\(off) the negative prompt has no effect") }
      if settings.guidance.rescale > 0 { log.warn("\(off) its rescaling has no effect") }
    }
    if settings.isTiled && model.autoencoder == nil {
      log.warn("the model works on pixels and has no VAE to tile")
    }
  }
}

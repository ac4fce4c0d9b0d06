import Files
import GenerativeModels
import NeuralNetworks
import Runs
import TextToImage

/// A model folder, and what a user puts into the model beside it.
package struct ModelSource: Sendable {
  /// The folder, in the layout of diffusers.
  package var folder: String
  /// Files of learned tokens, each as `FILE` or `TOKEN=FILE`.
  package var embeddings: [String]
  /// Files of low-rank changes, each as `FILE` or `FILE:SCALE`.
  package var loras: [String]
  /// The folder of an autoencoder that decodes in place of the model's own.
  package var decoder: String?

  package init(
    folder: String, embeddings: [String] = [], loras: [String] = [], decoder: String? = nil
  ) {
    self.folder = folder
    self.embeddings = embeddings
    self.loras = loras
    self.decoder = decoder
  }

  /// The settings that name the parts.
  package struct Keys: Sendable {
    package var folder = "model"
    package var embeddings = "embeddings"
    package var loras = "loras"
    package var decoder = "decoder"

    /// The keys of settings that have them at the top.
    package init() {}

    /// Those of a block.
    package init(in block: String) {
      (folder, embeddings, loras, decoder) = (
        "\(block).folder", "\(block).embeddings", "\(block).loras", "\(block).decoder"
      )
    }
  }
}

/// A model that was read, with learned tokens, low-rank changes and a decoder of its own.
package struct SourcedModel<Network: PromptedNetwork> {
  /// With all of them.
  package let model: PromptedModel<Network>
  let inputs: ModelInputs

  /// Reads a model and what comes beside it, and tells which.
  ///
  /// - Throws: `FileError` naming what is missing or does not fit.
  package init(_ source: ModelSource, log: RunLog) throws {
    let model = try PromptedModel<Network>(folder: source.folder)
    if source.embeddings.isEmpty, let path = TokenEmbedding.path(in: source.folder) {
      log.warn("\(path.printable) is left out; give --embedding to use its token")
    }
    let embeddings = try source.embeddings.flatMap { text in
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return parts.count == 2
        ? try TokenEmbedding.read(path: String(parts[1]), token: String(parts[0]))
        : try TokenEmbedding.read(path: text)
    }
    for embedding in embeddings {
      log.info(
        "\(embedding.path.printable): the token \(embedding.token.printable), "
          + embedding.vectors.shape[0].counting("vector"))
    }
    let loras = try source.loras.map { try LoRAFile($0) }
    try model.merge(loras)
    for lora in loras {
      log.info(
        "\(lora.path.printable): merged into \(lora.layerCount.counting("layer")), "
          + "scale \(Double(lora.scale).short)")
    }
    inputs = ModelInputs(source: source, embeddings: embeddings, loras: loras)
    let added = try model.adding(embeddings)
    self.model = try source.decoder.map { try added.decoding(by: $0) } ?? added
  }

  /// Notes the model and its parts as inputs of a run; see `ModelInputs`.
  ///
  /// - Throws: `RunFolderError` if one of them is not what the run was started with; `FileError` if
  ///   a file cannot be read again.
  func require<Settings>(in run: Run<Settings>, keys: ModelSource.Keys) throws {
    try inputs.require(in: run, keys: keys, fingerprint: model.fingerprint)
  }
}

/// A model and its parts, as inputs of a run.
struct ModelInputs {
  let source: ModelSource
  let embeddings: [TokenEmbedding]
  let loras: [LoRAFile]

  /// Notes them, the parts first, whose content is in the model's fingerprint too.
  ///
  /// - Parameters:
  ///   - run: what reads them.
  ///   - keys: the settings that name them.
  ///   - fingerprint: of the model with tokens and low-rank changes.
  /// - Throws: `RunFolderError` if one of them is not what the run was started with; `FileError` if
  ///   a file cannot be read again.
  func require<Settings>(
    in run: Run<Settings>, keys: ModelSource.Keys, fingerprint: String
  ) throws {
    try require(
      in: run, key: keys.embeddings, paths: embeddings.map(\.path),
      contents: embeddings.map { embedding in
        "\(embedding.token) of \(try ContentFingerprint.of(embedding.path) ?? "nothing")"
      })
    try require(
      in: run, key: keys.loras, paths: loras.map(\.path),
      contents: loras.map { lora in
        "\(try ContentFingerprint.of(lora.path) ?? "nothing") by \(lora.scale)"
      })
    try require(
      in: run, key: keys.decoder, paths: source.decoder.map { [$0] } ?? [],
      contents: source.decoder.map { [try ContentFingerprint.of($0) ?? "nothing"] } ?? [])
    try run.require([RunInput(key: keys.folder, path: source.folder, fingerprint: fingerprint)])
  }

  private func require<Settings>(
    in run: Run<Settings>, key: String, paths: [String], contents: [String]
  ) throws {
    guard !paths.isEmpty || run.knowsInput(key) else { return }
    func joined(_ words: [String]) -> String {
      words.isEmpty ? "none" : words.joined(separator: ", ")
    }
    try run.require([RunInput(key: key, path: joined(paths), fingerprint: joined(contents))])
  }
}

extension PromptedPipeline {
  /// Reads a model and what comes beside it, and tells which; all weights are frozen.
  ///
  /// - Throws: `FileError` naming what is missing or does not fit.
  package init(_ source: ModelSource, log: RunLog) throws {
    self.init(frozen: try SourcedModel(source, log: log).model)
  }

  /// The same with the model's own decoder.
  ///
  /// - Throws: `FileError` if the model's parts do not fit, which they did before.
  func decodingByItself() throws -> Self { Self(try model.decodingByItself()) }

  /// A pipeline of a model that is not to learn.
  init(frozen model: PromptedModel<Network>) {
    for (_, parameter) in model.parameters { parameter.isTrainable = false }
    self.init(model)
  }

  /// Finds out what the model cannot do before anything is drawn, and says what will have no
  /// effect.
  ///
  /// - Parameters:
  ///   - settings: how images are drawn.
  ///   - negativePrompt: what guidance leads away from.
  ///   - samplerOption: the option or key that chooses a sampler, for errors.
  package func check(
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
    let embedsGuidance = model.unet.configuration.embedsGuidance
    if embedsGuidance || !settings.guidance.isOn {
      let off =
        embedsGuidance
        ? "the model is told the guidance scale and runs once, so that"
        : "guidance of \(settings.guidance.scale) is off, so that"
      if !negativePrompt.isEmpty { log.warn("\(off) the negative prompt has no effect") }
      if settings.guidance.rescale > 0 { log.warn("\(off) its rescaling has no effect") }
    }
    if settings.isTiled, let decoder = model.decoder ?? model.autoencoder {
      if !decoder.canTile { log.warn("the decoder is a tiny one, which is not tiled") }
    } else if settings.isTiled {
      log.warn("the model works on pixels and has no VAE to tile")
    }
  }
}

import CaptionedMedia
import Configuration
import DiffusionPolicies
import Environments
import Files
import GenerativeModels
import NeuralNetworks
import Rewards
import Runs
import TextToImage

extension RewardExpression {
  /// What a reward reads: its terms with the content of the files that they name, the CLIP model,
  /// and the files among a program's words, which may be mended while a run is stopped.
  ///
  /// - Throws: `FileError` if one of them cannot be read.
  package func inputs(clip: String?) throws(FileError) -> [RunInput] {
    var terms: [String] = []
    var inputs: [RunInput] = []
    var number = 0
    for term in self.terms {
      var name = term.kind.name
      switch (term.kind.argument, term.argument) {
      case (.path, .some(let path)): name += ":\(try Self.content(path))"
      case (.program, _): name += ":'\(term.words.joined(separator: " "))'"
      case (_, .some(let text)): name += ":'\(text)'"
      case (_, nil): break
      }
      for word in term.words {
        number += 1
        let key = "reward.program.\(number)"
        if let input = try RunInput(key: key, contentsOf: word, mayChange: true) {
          inputs.append(input)
        }
      }
      terms.append(term.weight == 1 ? name : "\(term.weight)*\(name)")
    }
    inputs.append(
      RunInput(key: "reward", path: "reward", fingerprint: terms.joined(separator: " + ")))
    if needsCLIP, let clip, let input = try RunInput(key: "clip", contentsOf: clip) {
      inputs.append(input)
    }
    return inputs
  }

  private static func content(_ path: String) throws(FileError) -> String {
    try ContentFingerprint.of(path) ?? path
  }
}

extension RunLog {
  /// Tells what a model does not see of prompts that are too long for it.
  package func warnOfCutPrompts(_ prompts: [String], tokenizer: CLIPTokenizer) {
    for prompt in prompts {
      guard let rest = tokenizer.rest(of: prompt) else { continue }
      warn(
        "the model sees \(tokenizer.maximumLength) tokens of a prompt, and not this end of it: "
          + "'\(rest.printable)'")
    }
  }
}

extension RunLog {
  /// Prints which files the weights of a model folder come from, where that is not the only choice.
  package func noteWeights(ofModel folder: String) {
    for note in TextToImageModel.weightNotes(folder: folder) { info(note.printable) }
  }
}

extension RunLog {
  /// Takes the warnings of environments from now on, and the first lines that their programs print.
  ///
  /// - Parameters:
  ///   - isQuiet: whether none is to be seen, in commands that then print errors only.
  ///   - folder: where all that programs print is kept; nowhere if there is none.
  ///   - rank: which of several processes this is.
  package func takeEnvironmentWarnings(
    isQuiet: Bool = false, folder: RunFolder? = nil, rank: Int = 0
  ) {
    EnvironmentWarnings.send { warning in if !isQuiet { warn(warning) } }
    EnvironmentLogs.send { line in if !isQuiet { info(line) } }
    if let folder { EnvironmentLogs.keep(in: folder.path, rank: rank) }
  }
}

/// The numbers in a model folder's files.
public enum WeightType: String, Codable, CaseIterable, Sendable {
  case float16, float32

  /// The type of a stored element.
  public var elementType: ElementType { self == .float16 ? .float16 : .float32 }
}

extension RunConfiguration {
  /// What is done now and then falls on a line of metrics, so that none is cut.
  func requireMultiples(
    of report: (key: String, interval: Int), _ others: (key: String, interval: Int)...
  ) throws {
    for (key, interval) in others {
      try ConfigurationError.require(
        interval.isMultiple(of: report.interval), key, interval,
        "a multiple of \(report.key), which is \(report.interval)")
    }
  }
}

extension SettingRange<Double> {
  /// How long an external program may take.
  static var seconds: SettingRange { .init("seconds above 0") { $0 > 0 && $0 <= 1e6 } }
}

extension EnvironmentConfiguration {
  /// Checks the parameters of an environment that comes with Attune, so that an error names the
  /// line of the settings; those of others are checked when it is made.
  func checkParameters() throws {
    let registry = EnvironmentRegistry.standard
    guard registry.entries.contains(where: { $0.name == name }) else { return }
    _ = try ConfigurationError.within("parameters") {
      try registry.parameters(of: name, given: parameters)
    }
  }
}

/// A model folder with the learned tokens that come beside it.
package struct EmbeddedModel<Network: PromptedNetwork> {
  /// With the tokens.
  package let model: PromptedModel<Network>
  let inputs: ModelInputs

  /// Reads a model folder and learned tokens, and tells which.
  ///
  /// - Parameters:
  ///   - folder: in the layout of diffusers.
  ///   - embeddings: files of tokens, each as `FILE` or `TOKEN=FILE`.
  /// - Throws: `FileError` naming what is missing or does not fit.
  package init(folder: String, embeddings: [String], log: RunLog) throws {
    let model = try PromptedModel<Network>(folder: folder)
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
      log.info(
        "\(embedding.path.printable): the token \(embedding.token.printable), "
          + embedding.vectors.shape[0].counting("vector"))
    }
    inputs = ModelInputs(folder: folder, embeddings: read)
    self.model = try model.adding(read)
  }

  /// Notes model and tokens as inputs of a run; see `ModelInputs`.
  ///
  /// - Throws: `RunFolderError` if one of them is not what the run was started with; `FileError` if
  ///   the tokens cannot be read again.
  func require<Settings>(
    in run: Run<Settings>, key: String, embeddingsKey: String
  ) throws {
    try inputs.require(
      in: run, key: key, embeddingsKey: embeddingsKey, fingerprint: model.fingerprint)
  }
}

/// A model folder and learned tokens, as inputs of a run.
struct ModelInputs {
  let folder: String
  let embeddings: [TokenEmbedding]

  /// Notes model and tokens as inputs of a run, the tokens first, whose content is in the model's
  /// fingerprint too.
  ///
  /// - Parameters:
  ///   - run: what reads them.
  ///   - key: the setting that names the folder.
  ///   - embeddingsKey: the setting that names the tokens.
  ///   - fingerprint: of the model with the tokens.
  /// - Throws: `RunFolderError` if one of them is not what the run was started with; `FileError` if
  ///   the tokens cannot be read again.
  func require<Settings>(
    in run: Run<Settings>, key: String, embeddingsKey: String, fingerprint: String
  ) throws {
    if !embeddings.isEmpty || run.knowsInput(embeddingsKey) {
      func joined(_ words: [String]) -> String {
        words.isEmpty ? "none" : words.joined(separator: ", ")
      }
      let contents = try embeddings.map { embedding in
        "\(embedding.token) of \(try ContentFingerprint.of(embedding.path) ?? "nothing")"
      }
      try run.require([
        RunInput(
          key: embeddingsKey, path: joined(embeddings.map(\.path)), fingerprint: joined(contents))
      ])
    }
    try run.require([RunInput(key: key, path: folder, fingerprint: fingerprint)])
  }
}

extension PromptedPipeline {
  /// Reads a model folder and learned tokens, and tells which; all weights are frozen.
  ///
  /// - Parameters:
  ///   - folder: in the layout of diffusers.
  ///   - embeddings: files of tokens, each as `FILE` or `TOKEN=FILE`.
  /// - Throws: `FileError` naming what is missing or does not fit.
  package init(folder: String, embeddings: [String], log: RunLog) throws {
    self.init(
      frozen: try EmbeddedModel(folder: folder, embeddings: embeddings, log: log).model)
  }

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
    if settings.isTiled && model.autoencoder == nil {
      log.warn("the model works on pixels and has no VAE to tile")
    }
  }
}

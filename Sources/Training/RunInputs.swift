import CaptionedImages
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
      let name: String
      switch term.kind {
      case .clip(let text): name = "clip\(text.map { ":'\($0)'" } ?? "")"
      case .choice(let path): name = "clip-choice:\(try Self.content(path))"
      case .attributes(let folder): name = "attributes:\(try Self.content(folder))"
      case .aesthetic(let path): name = "aesthetic:\(try Self.content(path))"
      case .size(let direction): name = direction.rawValue
      case .command(let words):
        name = "command:'\(words.joined(separator: " "))'"
        for word in words {
          number += 1
          let key = "reward.program.\(number)"
          if let input = try RunInput(key: key, contentsOf: word, mayChange: true) {
            inputs.append(input)
          }
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
    for note in TextToImageModel.weightNotes(folder: folder) { say(note.printable) }
  }
}

extension RunLog {
  /// Takes the warnings of environments from now on.
  ///
  /// - Parameter isQuiet: whether none is to be seen, in commands that then print errors only.
  package func takeEnvironmentWarnings(isQuiet: Bool = false) {
    EnvironmentWarnings.send { warning in if !isQuiet { warn(warning) } }
  }
}

/// The numbers in a model folder's files.
public enum WeightType: String, Codable, CaseIterable, Sendable {
  case float16, float32

  var elementType: ElementType { self == .float16 ? .float16 : .float32 }
}

extension RunConfiguration {
  /// Does something with an inner configuration, and names settings that do not fit by their whole
  /// path.
  package func checking<Result>(_ outer: String, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as SettingError {
      throw ConfigurationError.badValue(
        key: "\(outer).\(error.key)", found: error.found, expected: error.expected)
    }
  }
}

extension TextToImagePipeline {
  /// Reads a model folder and learned tokens, and tells which.
  ///
  /// - Parameters:
  ///   - folder: in the layout of diffusers.
  ///   - embeddings: files of tokens, each as `FILE` or `TOKEN=FILE`.
  package init(folder: String, embeddings: [String], log: RunLog) throws {
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

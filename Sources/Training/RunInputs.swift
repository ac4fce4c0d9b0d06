import CaptionedMedia
import Configuration
import DiffusionPolicies
import Environments
import Files
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

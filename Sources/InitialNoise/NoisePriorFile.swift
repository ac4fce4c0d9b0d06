import Diffusion
import Files
import Foundation
import GenerativeModels
import Tensors

/// A prior in a safetensors file: `mean` and `std`, of the shape of one sample, and its origin in
/// the metadata.
public struct NoisePriorFile: Sendable {
  /// The distribution.
  public var prior: NoisePrior
  /// What it was learned for.
  public var origin: PriorOrigin

  private static let key = "attune.prior"

  /// A prior and where it comes from.
  public init(prior: NoisePrior, origin: PriorOrigin) {
    self.prior = prior
    self.origin = origin
  }

  /// Reads a file.
  ///
  /// - Throws: `FileError` if it cannot be read, is damaged or holds no prior.
  public init(path: String) throws(FileError) {
    let file = try SafetensorsFile(path: path)
    guard let text = file.metadata[Self.key],
      let origin = try? JSONDecoder().decode(PriorOrigin.self, from: Data(text.utf8))
    else {
      throw FileError(
        .unsupported, path: path, problem: "holds no noise prior",
        advice: "name a file that attune noise optimize wrote")
    }
    if let problem = origin.problem { throw Self.damaged(path, Self.key, problem) }
    self.origin = origin
    let mean = Tensor(try file.storedTensor(named: "mean"))
    let std = Tensor(try file.storedTensor(named: "std"))
    guard mean.rank > 0 else {
      throw Self.damaged(path, "mean", "is one number, expected the shape of a sample")
    }
    guard std.shape == mean.shape else {
      throw Self.damaged(
        path, "std", "has shape \(std.shape), expected \(mean.shape), that of mean")
    }
    guard mean.elements.allSatisfy(\.isFinite) else {
      throw Self.damaged(path, "mean", "has elements that are not finite")
    }
    guard std.elements.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw Self.damaged(path, "std", "has elements that are not finite or not above 0")
    }
    prior = NoisePrior(mean: mean, standardDeviation: std)
  }

  private static func damaged(_ path: String, _ item: String, _ problem: String) -> FileError {
    FileError(
      .malformed, path: path, item: item, problem: problem, advice: "the file is damaged")
  }

  /// Writes the file; it appears under its name only when it is complete.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(origin), as: UTF8.self)
    try SafetensorsFile.write(
      ["mean": StoredTensor(prior.mean), "std": StoredTensor(prior.standardDeviation)],
      metadata: [Self.key: text], to: path)
  }

  /// Checks that the prior belongs to a model and to samples of a shape.
  ///
  /// - Parameters:
  ///   - path: the file, for the message.
  ///   - fingerprint: of the model that is to use it.
  ///   - shape: of one of its samples.
  /// - Throws: `FileError` if it does not.
  public func check(path: String, fingerprint: String, shape: [Int]) throws(FileError) {
    guard origin.model == fingerprint else {
      throw FileError(
        .unsupported, path: path,
        problem:
          "was learned for another model (its fingerprint is \(origin.model), not \(fingerprint))",
        advice: "learn one for this model with attune noise optimize")
    }
    guard prior.shape == shape else {
      throw FileError(
        .unsupported, path: path,
        problem: "is for noise of shape \(prior.shape), not \(shape)",
        advice: "generate in the size that it was learned with")
    }
  }
}

/// What a prior was learned for: it is of use for the same model, and meant for the same prompt and
/// way of sampling.
public struct PriorOrigin: Codable, Hashable, Sendable {
  /// The prompt.
  public var prompt: String
  /// What guidance led away from.
  public var negativePrompt: String
  /// `GenerativeModel.fingerprint` of the model.
  public var model: String
  /// The sampler; nil for the model's own.
  public var sampler: SamplerKind?
  /// Denoising steps.
  public var stepCount: Int
  /// The guidance scale.
  public var guidance: Float
  /// Last layers of the text encoder that were skipped.
  public var clipSkip: Int
  /// How much noise DDIM drew.
  public var eta: Float
  /// How far guidance was brought back.
  public var guidanceRescale: Float
  /// The reward that was optimized.
  public var reward: String
  /// Images that were drawn to learn it.
  public var imageCount: Int
  /// The precision in which they were drawn.
  public var precision: Precision

  /// Describes where a prior comes from.
  public init(
    prompt: String, negativePrompt: String = "", model: String, settings: GenerationSettings,
    reward: String, imageCount: Int
  ) {
    self.prompt = prompt
    self.negativePrompt = negativePrompt
    self.model = model
    sampler = settings.sampler
    stepCount = settings.stepCount
    guidance = settings.guidance.scale
    clipSkip = settings.skippedTextLayerCount
    eta = settings.eta
    guidanceRescale = settings.guidance.rescale
    self.reward = reward
    self.imageCount = imageCount
    precision = .current
  }

  /// Reads what a file says; one from before a key was written has its value of then.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    prompt = try values.decode(String.self, forKey: .prompt)
    negativePrompt = try values.decode(String.self, forKey: .negativePrompt)
    model = try values.decode(String.self, forKey: .model)
    sampler = try values.decodeIfPresent(SamplerKind.self, forKey: .sampler)
    stepCount = try values.decode(Int.self, forKey: .stepCount)
    guidance = try values.decode(Float.self, forKey: .guidance)
    clipSkip = try values.decodeIfPresent(Int.self, forKey: .clipSkip) ?? 0
    eta = try values.decodeIfPresent(Float.self, forKey: .eta) ?? 0
    guidanceRescale = try values.decodeIfPresent(Float.self, forKey: .guidanceRescale) ?? 0
    reward = try values.decode(String.self, forKey: .reward)
    imageCount = try values.decode(Int.self, forKey: .imageCount)
    precision = try values.decodeIfPresent(Precision.self, forKey: .precision) ?? .highest
  }

  /// What is wrong with numbers that a file held; nil if they are such as a run can have.
  var problem: String? {
    // Whoever compares a prior with plain noise draws as many images as the prior cost.
    let ranges = [
      ("stepCount", stepCount, 1...10_000), ("imageCount", imageCount, 0...100_000_000),
      ("clipSkip", clipSkip, 0...1_000),
    ]
    for (key, number, range) in ranges where !range.contains(number) {
      return "\(key) is \(number), expected \(range.lowerBound) to \(range.upperBound)"
    }
    for (key, number) in [("eta", eta), ("guidanceRescale", guidanceRescale)]
    where !(0...1).contains(number) {
      return "\(key) is \(number), expected 0 to 1"
    }
    return (0...1_000).contains(guidance) ? nil : "guidance is \(guidance), expected 0 to 1000"
  }

  /// In what it differs from another use, in words for a warning; empty if in nothing that matters.
  public func differences(
    prompt: String, negativePrompt: String, settings: GenerationSettings
  ) -> [String] {
    var differences: [String] = []
    if prompt != self.prompt {
      differences.append("learned for the prompt '\(self.prompt)'")
    }
    if negativePrompt != self.negativePrompt {
      differences.append(
        self.negativePrompt.isEmpty
          ? "learned without a negative prompt"
          : "learned with the negative prompt '\(self.negativePrompt)'")
    }
    if settings.stepCount != stepCount { differences.append("learned with \(stepCount) steps") }
    // All scales that turn guidance off draw the same.
    if max(1, settings.guidance.scale) != max(1, guidance) {
      differences.append("learned with guidance \(guidance)")
    }
    if settings.skippedTextLayerCount != clipSkip {
      differences.append("learned with clip skip \(clipSkip)")
    }
    if Precision.current != precision {
      differences.append("learned in precision \(precision.rawValue)")
    }
    if settings.eta != eta { differences.append("learned with eta \(eta)") }
    if settings.guidance.rescale != guidanceRescale {
      differences.append("learned with guidance rescale \(guidanceRescale)")
    }
    if settings.sampler != sampler {
      differences.append(
        "learned with \(sampler.map { "the sampler \($0.rawValue)" } ?? "the model's own sampler")")
    }
    return differences
  }
}

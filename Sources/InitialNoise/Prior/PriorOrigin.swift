import Diffusion
import GenerativeModels

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
  /// Pictures that were drawn to learn it.
  public var imageCount: Int

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
  }

  /// What is wrong with numbers that a file held; nil if they are such as a run can have.
  var problem: String? {
    // Whoever compares a prior with plain noise draws as many pictures as the prior cost.
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

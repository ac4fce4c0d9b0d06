import Diffusion
import TextToImage

/// What a prior was learned for: it is of use for the same model, and meant for the same prompt and
/// way of sampling.
public struct PriorOrigin: Codable, Hashable, Sendable {
  /// The prompt.
  public var prompt: String
  /// What guidance led away from.
  public var negativePrompt: String
  /// `TextToImageModel.fingerprint` of the model.
  public var model: String
  /// The sampler; nil for the model's own.
  public var sampler: SamplerKind?
  /// Denoising steps.
  public var stepCount: Int
  /// The guidance scale.
  public var guidance: Float
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
    self.reward = reward
    self.imageCount = imageCount
  }

  /// What is wrong with numbers that a file held; nil if they are such as a run can have.
  var problem: String? {
    // Whoever compares a prior with plain noise draws as many pictures as the prior cost.
    let ranges = [
      ("stepCount", stepCount, 1...10_000), ("imageCount", imageCount, 0...100_000_000),
    ]
    for (key, number, range) in ranges where !range.contains(number) {
      return "\(key) is \(number), expected \(range.lowerBound) to \(range.upperBound)"
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
    if settings.sampler != sampler {
      differences.append(
        "learned with \(sampler.map { "the sampler \($0.rawValue)" } ?? "the model's own sampler")")
    }
    return differences
  }
}

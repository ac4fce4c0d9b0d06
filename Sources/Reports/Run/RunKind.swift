import Configuration
import Runs

/// What a run did.
public enum RunKind: CaseIterable, Sendable {
  /// The commands that train; `other` for what none of them wrote.
  case policyPretraining, policyFineTuning, imageTraining, videoTraining, imageFineTuning,
    rewardTraining, noiseOptimization, other

  /// The kind of a run by what its folder tells, or, in a folder of an earlier version, which does
  /// not, by its settings.
  public init(_ record: RunRecord?, _ settings: SettingsOutline?) {
    guard let record else {
      self.init(settings)
      return
    }
    self = Self.allCases.first { $0.command == "attune \(record.command)" } ?? .other
  }

  /// The kind of a run that has such settings.
  init(_ settings: SettingsOutline?) {
    self =
      Self.allCases.first { kind in
        !kind.signature.isEmpty && kind.signature.allSatisfy { settings?.has($0) ?? false }
      } ?? .other
  }

  /// Settings that a run of the kind has, and no kind after it.
  private var signature: [String] {
    switch self {
    case .policyPretraining: ["policy", "demonstrations"]
    case .policyFineTuning: ["checkpoint", "training.critic"]
    case .imageTraining: ["data", "samples", "training"]
    // Its folders always tell the command.
    case .videoTraining: []
    case .imageFineTuning: ["reward", "model", "training"]
    case .rewardTraining: ["kind", "dolls", "clip"]
    case .noiseOptimization: ["reward", "model", "find"]
    case .other: []
    }
  }

  /// A line above the run's name.
  var title: String {
    switch self {
    case .policyPretraining: "Pretraining of a diffusion policy"
    case .policyFineTuning: "Fine-tuning of a diffusion policy by DPPO"
    case .imageTraining: "Training of a text-to-image model"
    case .videoTraining: "Training of a text-to-video model"
    case .imageFineTuning: "Fine-tuning of a text-to-image model by policy gradients"
    case .rewardTraining: "Training of a reward of images"
    case .noiseOptimization: "Optimization of the initial noise by FIND"
    case .other: "A run"
    }
  }

  /// The command without its flags; nil for other runs.
  public var command: String? {
    switch self {
    case .policyPretraining: "attune policy pretrain"
    case .policyFineTuning: "attune policy finetune"
    case .imageTraining: "attune image train"
    case .videoTraining: "attune video train"
    case .imageFineTuning: "attune image finetune"
    case .rewardTraining: "attune reward train"
    case .noiseOptimization: "attune noise optimize"
    case .other: nil
    }
  }

  /// What an iteration is called.
  var iterationNoun: String {
    switch self {
    case .policyPretraining, .imageTraining, .videoTraining: "batch"
    case .rewardTraining: "step"
    case .policyFineTuning, .imageFineTuning, .noiseOptimization, .other: "iteration"
    }
  }

  /// The settings that the top of the page shows, with what they are called there.
  var facts: [(label: String, path: String)] {
    switch self {
    case .policyPretraining:
      [
        ("environment", "policy.environment.name"), ("demonstrations", "demonstrations.path"),
        ("network", "policy.network.kind"), ("batch size", "training.batchSize"), ("seed", "seed"),
      ]
    case .policyFineTuning:
      [
        ("from", "checkpoint"), ("environments", "training.environments"),
        ("fine-tuned denoising steps", "training.fineTunedSteps"), ("seed", "seed"),
      ]
    case .imageTraining:
      [
        ("model", "model.folder"), ("images", "data.kind"), ("from", "data.path"),
        ("batch size", "training.batchSize"), ("seed", "seed"),
      ]
    case .videoTraining:
      [
        ("model", "model.folder"), ("clips", "data.kind"), ("from", "data.path"),
        ("frames", "data.frames"), ("batch size", "training.batchSize"), ("seed", "seed"),
      ]
    case .rewardTraining:
      [("kind", "kind"), ("images", "dolls.folder"), ("images", "data.path"), ("seed", "seed")]
    case .imageFineTuning, .noiseOptimization:
      [("prompts", "prompts"), ("model", "model"), ("reward", "reward"), ("seed", "seed")]
    case .other: [("seed", "seed")]
    }
  }

  /// How many iterations the settings ask for; nil if they do not say.
  func iterations(_ settings: SettingsOutline) -> Int? {
    if self == .rewardTraining {
      return settings["kind"].flatMap { settings["\($0).optimization.stepCount"] }
        .flatMap { Int($0) }
    }
    let names = ["iterations", "iterations", "batchCount"]
    return names.lazy.compactMap { name in
      settings.entries.first { $0.path == name || $0.path.hasSuffix("." + name) }
        .flatMap { Int($0.value) }
    }.first
  }
}

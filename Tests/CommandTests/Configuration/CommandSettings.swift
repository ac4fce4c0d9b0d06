import Configuration
import Runs
import Training

@testable import attune

/// The settings of a command; a new command's are a line in `all`.
struct CommandSettings: Sendable {
  /// As in "policy pretrain".
  let command: String
  /// What its YAML file is decoded to.
  let type: any RunConfiguration.Type
  private let describe: @Sendable () throws -> [SettingDescription]

  private init<Described: RunConfiguration>(command: String, type: Described.Type) {
    self.command = command
    self.type = type
    describe = { try SettingDescription.all(of: Described()) }
  }

  /// Its settings, one by one.
  var descriptions: [SettingDescription] { get throws { try describe() } }

  static let all = [
    CommandSettings(command: "policy pretrain", type: PolicyPretrainingSettings.self),
    CommandSettings(command: "policy finetune", type: PolicyFineTuningSettings.self),
    CommandSettings(command: "policy import", type: ImportSettings.self),
    CommandSettings(command: "image train", type: ImageTrainingSettings.self),
    CommandSettings(command: "video train", type: VideoTrainingSettings.self),
    CommandSettings(command: "image finetune", type: ImageFineTuningSettings.self),
    CommandSettings(command: "noise optimize", type: NoiseOptimizationSettings.self),
    CommandSettings(command: "reward train", type: RewardTrainingSettings.self),
  ]
}

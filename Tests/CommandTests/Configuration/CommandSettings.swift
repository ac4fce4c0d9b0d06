import Runs

@testable import attune

/// The settings of a command; a new command's are a line in `all`.
struct CommandSettings: Sendable {
  /// As in "policy pretrain".
  let command: String
  /// What its YAML file is decoded to.
  let type: any RunConfiguration.Type

  static let all = [
    CommandSettings(command: "policy pretrain", type: PretrainSettings.self),
    CommandSettings(command: "policy finetune", type: FinetuneSettings.self),
    CommandSettings(command: "policy import", type: ImportSettings.self),
    CommandSettings(command: "image train", type: ImageTrainSettings.self),
    CommandSettings(command: "image finetune", type: ImageFinetuneSettings.self),
    CommandSettings(command: "noise optimize", type: NoiseOptimizeSettings.self),
    CommandSettings(command: "reward train", type: RewardTrainSettings.self),
  ]
}

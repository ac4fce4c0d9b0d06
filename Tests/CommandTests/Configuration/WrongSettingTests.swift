import Foundation
import TestSupport
import Testing

@testable import Configuration

/// Every setting of every training with values of wrong types, negative and huge ones.
@Suite(.serialized) struct WrongSettingTests {
  /// Settings with which each command trains for a moment.
  private struct Start {
    let command: String
    let settings: String
    let overrides: [String]
    /// The settings that are tried begin so.
    var prefix = ""
  }

  private static let starts = [
    Start(
      command: "policy pretrain", settings: "pretrain.yaml", overrides: ["training.batchCount=5"]),
    Start(
      command: "policy pretrain", settings: "pretrain.yaml",
      overrides: [
        "training.batchCount=5", "policy.network.kind=unet", "policy.network.width=8",
        "policy.network.multipliers=[1, 2]", "policy.network.kernelSize=3",
      ], prefix: "policy.network."),
    Start(
      command: "policy pretrain", settings: "pretrain.yaml",
      overrides: ["training.batchCount=5", "policy.network.kind=gaussian"],
      prefix: "policy.network."),
    Start(
      command: "policy pretrain", settings: "pretrain.yaml",
      overrides: ["training.batchCount=5", "policy.network.kind=gmm"],
      prefix: "policy.network."),
    Start(
      command: "policy finetune", settings: "finetune.yaml",
      overrides: ["training.iterations=1"]),
    Start(
      command: "policy finetune", settings: "dsrl.yaml",
      overrides: ["training.iterations=1", "evaluation.interval=0"], prefix: "offPolicy."),
    Start(
      command: "image train", settings: "train.yaml", overrides: ["training.batchCount=3"]),
    Start(
      command: "video train", settings: "video.yaml", overrides: ["training.batchCount=3"]),
    Start(
      command: "reward train", settings: "reward.yaml",
      overrides: ["kind=clip", "clip.optimization.stepCount=3"]),
    Start(
      command: "reward train", settings: "reward.yaml",
      overrides: ["kind=classifier", "classifier.optimization.stepCount=3"],
      prefix: "classifier."),
  ]

  /// How long a training lasts: as long as the user likes.
  private static let lengths = [
    "training.batchCount", "training.iterations", "optimization.stepCount",
  ]

  @Test(arguments: starts.indices)
  func wrongValuesGetALineOrTwo(_ index: Int) throws {
    let start = Self.starts[index]
    let folder = try TemporaryFolder()
    try folder.writeNoiseFinetuning()
    try folder.writePretraining()
    try folder.writeImageTraining()
    try folder.writeVideoTraining()
    try folder.writeRewardTraining()
    let settings = try #require(CommandSettings.all.first { $0.command == start.command })
    var number = 0
    for row in try settings.descriptions where row.key.hasPrefix(start.prefix) {
      for value in Self.wrongValues(row.node) {
        let isLength = Self.lengths.contains { row.key.hasSuffix($0) }
        if isLength, value.hasPrefix("9") { continue }
        number += 1
        try expectNoCrash(
          start.command.split(separator: " ").map(String.init)
            + ["--config", start.settings, "--output", "run\(number)", "--quiet", "--threads", "1"]
            + start.overrides + ["\(row.key)=\(value)"], in: folder)
        try? FileManager.default.removeItem(atPath: folder.file("run\(number)"))
      }
    }
    #expect(number > 20)
  }

  private static func wrongValues(_ node: ConfigurationNode) -> [String] {
    switch node.content {
    case .null: ["-1", "9223372036854775807"]
    case .sequence: ["[]", "[-1]", "[9223372036854775807]"]
    case .mapping: ["{a: -1}"]
    case .scalar(let text, _):
      Double(text) == nil ? ["{a: 1}"] : ["-1", "9223372036854775807", ".nan"]
    }
  }
}

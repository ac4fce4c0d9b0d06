import Foundation
import TestSupport
import Testing

/// A training of a moment, with a checkpoint after every iteration.
struct TinyTraining: CustomTestStringConvertible, Sendable {
  /// As in "policy pretrain".
  let command: String
  let settings: String
  let overrides: [String]
  /// What it is all for, in the run folder.
  let product: String
  let prepare: @Sendable (TemporaryFolder) throws -> Void

  var testDescription: String { command }

  static let all = [
    TinyTraining(
      command: "policy pretrain", settings: "pretrain.yaml",
      overrides: [
        "training.batchCount=12", "reportInterval=1", "checkpointInterval=1",
        "evaluation.interval=6",
      ], product: "policy.safetensors", prepare: { try $0.writePretraining() }),
    TinyTraining(
      command: "policy finetune", settings: "finetune.yaml",
      overrides: ["training.iterations=6"], product: "policy.safetensors",
      prepare: { try $0.writeFinetuning() }),
    TinyTraining(
      command: "image train", settings: "train.yaml",
      overrides: [
        "training.batchCount=6", "reportInterval=1", "checkpointInterval=1", "samples.interval=3",
      ], product: "model/unet/diffusion_pytorch_model.safetensors",
      prepare: { try $0.writeImageTraining() }),
    TinyTraining(
      command: "image finetune", settings: "weights.yaml", overrides: [],
      product: "model/unet/diffusion_pytorch_model.safetensors",
      prepare: { try $0.writeImageImprovement() }),
    TinyTraining(
      command: "noise optimize", settings: "find.yaml", overrides: [],
      product: "prior.safetensors", prepare: { try $0.writeImageImprovement() }),
    TinyTraining(
      command: "video train", settings: "video.yaml",
      overrides: [
        "training.batchCount=6", "reportInterval=1", "checkpointInterval=1", "samples.interval=3",
      ], product: "model/unet/diffusion_pytorch_model.safetensors",
      prepare: { try $0.writeVideoTraining() }),
    TinyTraining(
      command: "policy finetune", settings: "dsrl.yaml", overrides: [],
      product: "policy.safetensors", prepare: { try $0.writeNoiseFinetuning() }),
  ]

  /// Those that several processes divide: what learns off policy has one replay buffer.
  static let ranked = all.filter { $0.settings != "dsrl.yaml" }

  /// A folder with all that it needs.
  func makeFolder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try prepare(folder)
    return folder
  }

  /// The words that start it.
  func start(_ run: String) -> [String] {
    command.split(separator: " ").map(String.init)
      + ["--config", settings, "--output", run, "--threads", "1", "--quiet"] + overrides
  }

  /// The words that go on with it.
  func resume(_ run: String) -> [String] {
    command.split(separator: " ").map(String.init)
      + ["--resume", run, "--threads", "1", "--quiet"]
  }

  /// What a run comes to: equal in runs that were disturbed and in one that was not.
  struct Result: Equatable {
    let metrics: String
    let product: [UInt8]
  }

  /// What a run came to.
  func result(_ run: String) throws -> Result {
    Result(
      metrics: try String(contentsOfFile: "\(run)/metrics.jsonl", encoding: .utf8),
      product: [UInt8](try Data(contentsOf: URL(filePath: "\(run)/\(product)"))))
  }

  /// The iterations that have a checkpoint, in order.
  static func checkpoints(_ run: String) -> [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(run)/checkpoints")) ?? []
    return names.compactMap { $0.wholeMatch(of: #/iteration-(\d+)\.safetensors/#) }
      .compactMap { Int($0.output.1) }.sorted()
  }

  /// How many iterations have a whole line of metrics; what was before the first one does not
  /// count.
  static func recordedIterationCount(_ run: String) -> Int {
    let text = (try? String(contentsOfFile: "\(run)/metrics.jsonl", encoding: .utf8)) ?? ""
    return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      .count { !$0.hasPrefix("{\"iteration\": 0,") }
  }
}

import Foundation
import TestSupport
import Testing

/// `seed: -1` in settings: a seed that is drawn, told and recorded.
@Suite struct RandomSeedTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.writeFinetuning()
    try folder.write(try folder.text("finetune.yaml") + "\nseed: -1\n", to: "random.yaml")
  }

  private func finetune(_ arguments: String...) throws -> ProgramOutcome {
    try Attune.run(
      ["policy", "finetune", "--quiet", "training.iterations=2"] + arguments, in: folder)
  }

  /// The seed that a run was started with, which it has told and recorded.
  private func seed(of outcome: ProgramOutcome, _ run: String) throws -> Substring {
    #expect(outcome.status == 0, "\(outcome.output)")
    let match = try #require(outcome.standardError.firstMatch(of: #/attune: --seed (\d+)/#))
    #expect(try folder.text("\(run)/config.yaml").contains("seed: \(match.output.1)\n"))
    return match.output.1
  }

  @Test func drawnSeedsAreToldAndRecorded() throws {
    let first = try finetune("--config", "random.yaml", "--output", "first")
    let seed = try seed(of: first, "first")
    let second = try finetune("--config", "finetune.yaml", "--output", "second", "seed=-1")
    #expect(try self.seed(of: second, "second") != seed)
    // The seed that was told gives the same run; it wins over the file's.
    let again = try finetune(
      "--config", "random.yaml", "--output", "again", "--seed", String(seed))
    #expect(again.status == 0 && again.output.isEmpty, "\(again.output)")
    #expect(try folder.text("again/metrics.jsonl") == folder.text("first/metrics.jsonl"))
    #expect(try folder.text("second/metrics.jsonl") != folder.text("first/metrics.jsonl"))
  }

  /// A resume takes the seed that is recorded, and draws none.
  @Test func resumesKeepTheSeed() throws {
    _ = try finetune("--config", "random.yaml", "--output", "whole")
    try FileManager.default.copyItem(atPath: folder.file("whole"), toPath: folder.file("part"))
    try FileManager.default.removeItem(
      atPath: folder.file("part/checkpoints/iteration-000002.safetensors"))
    let resumed = try Attune.run(["policy", "finetune", "--quiet", "--resume", "part"], in: folder)
    #expect(resumed.status == 0 && resumed.output.isEmpty, "\(resumed.output)")
    #expect(try folder.text("part/metrics.jsonl") == folder.text("whole/metrics.jsonl"))
    #expect(try folder.text("part/config.yaml") == folder.text("whole/config.yaml"))
  }

  /// Only the seed of a run is drawn; other numbers are as they were.
  @Test func otherSeedsAreNotDrawn() throws {
    for wrong in ["seed=-2", "evaluation.seed=-1", "seed='-1'"] {
      let outcome = try finetune("--config", "finetune.yaml", "--output", "wrong", wrong)
      expectOneLine(outcome, "a whole number, not negative")
    }
  }
}

import DiffusionPolicies
import Foundation
import NeuralNetworks
import Runs
import TestSupport
import Testing
import Training

/// The Swift program that README.md and docs/tutorials/library.md show: DPPO with a run folder and resume.
@Suite struct TenLinesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func finetune(
    _ checkpoint: String, _ path: String, change: (inout PolicyFineTuningSettings) -> Void
  ) throws {
    var settings = PolicyFineTuningSettings.defaults
    settings.checkpoint = checkpoint
    settings.training.iterationCount = 20
    settings.training.environmentCount = 10
    settings.training.decisionCount = 100
    change(&settings)
    let run = try Run.open(at: path, settings, command: "policy finetune")
    let job = try PolicyFineTuningJob(run)
    try TrainingLoop().train(job)
  }

  /// Sizes for a test.
  private func small(_ iterations: Int) -> (inout PolicyFineTuningSettings) -> Void {
    {
      $0.training.iterationCount = iterations
      $0.training.environmentCount = 2
      $0.training.decisionCount = 3
      $0.training.batchSize = 20
      $0.training.epochCount = 1
      $0.evaluation.interval = 2
      $0.evaluation.episodes = 1
      $0.evaluation.filmedEpisodes = 0
      $0.checkpointInterval = 1
    }
  }

  /// Run again with more iterations, the program goes on, to the same bits as one that never stopped.
  @Test func aRunGoesOn() throws {
    let checkpoint = Repository.path("checkpoints/hopper-pretrained.safetensors")
    let (stopped, whole) = (folder.file("stopped"), folder.file("whole"))
    try finetune(checkpoint, stopped, change: small(1))
    try finetune(checkpoint, stopped, change: small(2))
    try finetune(checkpoint, whole, change: small(2))
    func metrics(_ run: String) throws -> [MetricsRecord] {
      try MetricsReader(path: "\(run)/metrics.jsonl").records
    }
    #expect(try metrics(whole).map(\.iteration) == [0, 1, 2])
    #expect(try metrics(whole)[2]["valueLoss"]?.isFinite == true)
    // A run evaluates after its last iteration, which was the first one's once.
    #expect(try metrics(stopped)[2] == metrics(whole)[2])
    let states = [stopped, whole].map {
      CheckpointFolder(path: "\($0)/checkpoints").latest { _ in }
    }
    let weights = states.map { $0?.tensors(prefix: "").mapValues(\.elements) }
    #expect(weights[0] != nil && weights[0] == weights[1])
  }

  /// What is shown is what is run here.
  @Test(arguments: ["README.md", "docs/tutorials/library.md"])
  func itIsShown(page: String) throws {
    let source = try String(contentsOf: URL(filePath: #filePath), encoding: .utf8)
    let body = try #require(source.firstMatch(of: #/(?s)\) throws \{\n(.*?)\n  \}/#)).output.1
    let lines = body.split(separator: "\n").map { $0.trimmingPrefix { $0 == " " } }
      .filter { !$0.hasPrefix("change(") }
      .map { $0.replacing("= checkpoint", with: "= \"checkpoints/hopper-pretrained.safetensors\"") }
      .map { $0.replacing("at: path", with: "at: \"runs/hopper\"") }
    #expect(lines.count == 8)
    let text = try String(contentsOfFile: Repository.path(page), encoding: .utf8)
    #expect(text.contains(lines.joined(separator: "\n")), "\(lines.joined(separator: "\n"))")
  }
}

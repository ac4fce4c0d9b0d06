import Configuration
import Foundation
import Runs
import Testing
import Training

@testable import Reports
@testable import attune

/// Pages of folders that the engine's own types wrote.
@Suite struct RunFolderPageTests {
  private struct Settings: RunConfiguration {
    var iterations = 12
  }

  @Test func timesAreThoseOfTheNewestValidCheckpoint() throws {
    let parent = try SyntheticRun()
    defer { withExtendedLifetime(parent) {} }
    let path = parent.path + "/inner"
    let run = try Run.start(
      at: path, configuration: Settings(), command: "test", log: RunLog(isQuiet: true))
    for iteration in 1...2 {
      run.times.add(.seconds(30), to: "simulate")
      run.times.add(.seconds(90), to: "<update>")
      try run.write(MetricsRecord(iteration: iteration, step: iteration, values: ["reward": 1]))
      try run.save(Checkpoint(iteration: iteration))
    }
    var html = try RunReport(runs: [path]).html
    #expect(PageCheck(html).problems == [])
    #expect(html.contains("</span>simulate</td><td>1 min 0 s</td><td>25.0%</td>"))
    #expect(html.contains("</span>&lt;update&gt;</td><td>3 min 0 s</td><td>75.0%</td>"))
    #expect(html.contains("<td>total</td><td>4 min 0 s</td>"))
    #expect(html.contains("2 min 0 s for each iteration, until iteration 2."))
    #expect(html.contains("at iteration 2 of 12"))
    #expect(html.contains("<dt>started</dt>"))
    // The newest is damaged: the one before it tells nearly the same.
    try Data("{".utf8).write(to: URL(filePath: run.checkpoints.path(ofIteration: 2)))
    html = try RunReport(runs: [path]).html
    #expect(html.contains("<td>total</td><td>2 min 0 s</td>"))
    try FileManager.default.removeItem(atPath: run.checkpoints.path)
    #expect(try RunReport(runs: [path]).html.contains("no checkpoint of this run tells them"))
  }

  @Test func everyCommandsSettingsAreRecognized() throws {
    func kind(_ settings: some RunConfiguration) throws -> RunKind {
      RunKind(try SettingsOutline(yaml: settings.yaml()))
    }
    #expect(try kind(PolicyPretrainingSettings()) == .policyPretraining)
    #expect(try kind(PolicyFineTuningSettings()) == .policyFineTuning)
    #expect(try kind(ImageTrainingSettings()) == .imageTraining)
    #expect(try kind(ImageFineTuningSettings()) == .imageFineTuning)
    #expect(try kind(NoiseOptimizationSettings()) == .noiseOptimization)
    #expect(try kind(RewardTrainingSettings()) == .rewardTraining)
    #expect(RunKind(nil) == .other)
    // What the folder tells wins over what its settings look like.
    let pretraining = try SettingsOutline(yaml: PolicyPretrainingSettings().yaml())
    #expect(RunKind(nil, pretraining) == .policyPretraining)
    #expect(RunKind(RunRecord(command: "image train"), pretraining) == .imageTraining)
    #expect(RunKind(RunRecord(command: "video train"), nil) == .videoTraining)
    #expect(RunKind(RunRecord(command: "noise optimize"), nil) == .noiseOptimization)
    #expect(RunKind(RunRecord(command: "test"), pretraining) == .other)
  }

  @Test func everyCommandsSettingsSayHowLongItRuns() throws {
    func count(_ settings: some RunConfiguration) throws -> Int? {
      let outline = try SettingsOutline(yaml: settings.yaml())
      return RunKind(outline).iterations(outline)
    }
    let pretrain = PolicyPretrainingSettings()
    #expect(try count(pretrain) == pretrain.training.batchCount)
    let finetune = PolicyFineTuningSettings()
    #expect(try count(finetune) == finetune.training.iterations)
    let image = ImageTrainingSettings()
    #expect(try count(image) == image.training.batchCount)
    let weights = ImageFineTuningSettings()
    #expect(try count(weights) == weights.training.iterations)
    let noise = NoiseOptimizationSettings()
    #expect(try count(noise) == noise.find.iterations)
    var reward = RewardTrainingSettings()
    #expect(try count(reward) == reward.clip.optimization.stepCount)
    reward.kind = .classifier
    #expect(try count(reward) == reward.classifier.optimization.stepCount)
  }
}

import DiffusionPolicies
import Foundation
import TestSupport
import Testing

/// `attune policy`: training that is stopped in every way, evaluation, and wrong inputs.
@Suite(.serialized) struct PolicyCommandTests {
  private let folder: TemporaryFolder
  private var url: URL { folder.url }

  /// A folder with a Push-T policy that has learned nothing, and settings for short trainings.
  init() throws {
    folder = try TemporaryFolder()
    try folder.writeFinetuning()
  }

  private func finetune(_ arguments: String...) throws -> ProgramOutcome {
    try Attune.run(["policy", "finetune"] + arguments, in: folder)
  }

  private func metrics(_ run: String) throws -> String { try folder.text("\(run)/metrics.jsonl") }

  /// Without evaluations the last policy is kept, and videos are made all the same.
  @Test func videosNeedNoEvaluations() throws {
    let overrides = ["evaluation.interval=0", "evaluation.videoEpisodes=1"]
    let run = try Attune.run(
      ["policy", "finetune", "--config", "finetune.yaml", "--output", "run"]
        + overrides + ["training.iterations=2"], in: folder)
    #expect(run.status == 0, "\(run.output)")
    #expect(run.output.contains("evaluation.interval is 0: no policy is evaluated"))
    #expect(folder.holds("run/videos/before.mp4") && folder.holds("run/videos/after.mp4"))
    #expect(try !metrics("run").contains("evaluationReturn"))
    let policy = try PolicyCheckpoint(path: folder.file("run/policy.safetensors"))
    #expect(policy.origin["iteration"] == "2")
    let last = try PolicyCheckpoint(
      path: folder.file("run/checkpoints/iteration-000002.safetensors"))
    for (name, weights) in policy.weights {
      #expect(last.weights[name]?.elements == weights.elements, "\(name)")
    }

    try folder.writePretraining()
    let pretrained = try Attune.run(
      ["policy", "pretrain", "--config", "pretrain.yaml", "--output", "pretrained"]
        + overrides + ["training.batchCount=10"], in: folder)
    #expect(pretrained.status == 0, "\(pretrained.output)")
    #expect(pretrained.output.contains("evaluation.interval is 0: no policy is played"))
    #expect(!folder.holds("pretrained/videos/before.mp4"))
    #expect(folder.holds("pretrained/videos/after.mp4"))
    #expect(try !metrics("pretrained").contains("evaluationReturn"))
  }

  @Test func killedRunsGoOnMetricForMetric() throws {
    let whole = try finetune("--config", "finetune.yaml", "--output", "whole")
    #expect(whole.status == 0, "\(whole.output)")
    // The policy as it was is line 0.
    #expect(try metrics("whole").split(separator: "\n").count == 11)

    let process = try Attune.start(
      ["policy", "finetune", "--config", "finetune.yaml", "--output", "killed"], in: folder)
    // Somewhere after its fifth checkpoint.
    let checkpoint = "killed/checkpoints/iteration-000005.safetensors"
    let later = "killed/checkpoints/iteration-000006.safetensors"
    try process.wait { folder.holds(checkpoint) || folder.holds(later) }
    process.send(SIGKILL)
    _ = try process.finish()
    let resumed = try finetune("--resume", "killed")
    #expect(resumed.status == 0, "\(resumed.output)")
    #expect(try metrics("killed") == metrics("whole"))
    let weights = ["whole", "killed"].map {
      try? Data(contentsOf: url.appending(path: "\($0)/policy.safetensors"))
    }
    #expect(weights[0] != nil && weights[0] == weights[1])
  }

  /// A policy of 4 steps of DDPM that executes 4 actions goes on as one of 2 steps of DDIM that
  /// executes 3.
  @Test func improvedPoliciesMayActOtherwise() throws {
    let changes = [
      "policy.sampler=ddim", "policy.ddimStepCount=2", "policy.ddimEta=1", "policy.actionSteps=3",
    ]
    let run = ["policy", "finetune", "--config", "finetune.yaml", "--output"]
    let short = ["training.iterations=1", "evaluation.interval=1", "--quiet"]
    let outcome = try Attune.run(run + ["run"] + short + changes, in: folder)
    #expect(outcome.status == 0, "\(outcome.output)")
    let policy = try PolicyCheckpoint(path: folder.file("run/policy.safetensors")).configuration
    #expect(policy.denoising.sampler == .ddim && policy.denoising.ddimStepCount == 2)
    #expect(policy.denoising.ddimEta == 1)
    #expect(policy.denoising.stepCount == 4 && policy.actionSteps == 3)
    // 4 environments of 6 decisions.
    let line = try #require(try metrics("run").split(separator: "\n").last)
    #expect(line.contains("\"step\": \(4 * 6 * 3),"), "\(line)")
    for wrong in ["policy.ddimStepCount=5", "policy.actionSteps=5"] {
      // Both times: the first mistake leaves no run behind.
      expectOneLine(
        try Attune.run(run + ["wrong", wrong], in: folder), "'\(wrong.split(separator: "=")[0])'",
        "expected 1 to 4")
    }
  }

  @Test func interruptedRunsSayHowToGoOn() throws {
    let process = try Attune.start(
      [
        "policy", "finetune", "--config", "finetune.yaml", "--output", "run",
        "training.iterations=100000",
      ], in: folder)
    try process.wait { (try? metrics("run"))?.contains("\n") == true }
    process.send(SIGINT)
    let outcome = try process.finish()
    #expect(outcome.status == 130)
    #expect(outcome.standardError.contains("attune policy finetune --resume run"))
    let done = try metrics("run").split(separator: "\n").count
    let more = try finetune("--resume", "run", "training.iterations=\(done)")
    #expect(more.status == 0, "\(more.output)")
    #expect(try metrics("run").split(separator: "\n").count == done + 1)
  }

  @Test func pretrainingGoesOnMetricForMetric() throws {
    try folder.writePretraining()
    let whole = try Attune.run(
      ["policy", "pretrain", "--config", "pretrain.yaml", "--output", "whole"], in: folder)
    #expect(whole.status == 0, "\(whole.output)")
    let part = try Attune.run(
      [
        "policy", "pretrain", "--config", "pretrain.yaml", "--output", "part", "--threads", "1",
      ], in: folder)
    #expect(part.status == 0)
    // As if it had been killed after its second checkpoint of the last two that are kept.
    try FileManager.default.removeItem(
      at: url.appending(path: "part/checkpoints/iteration-000040.safetensors"))
    let resumed = try Attune.run(["policy", "pretrain", "--resume", "part"], in: folder)
    #expect(resumed.status == 0, "\(resumed.output)")
    let text = try metrics("whole")
    #expect(try metrics("part") == text && text.contains("validationLoss"))
  }

  /// A mixture is pretrained, played, improved, resumed and served as other policies are.
  @Test func mixturesGoThroughAllCommands() throws {
    try folder.writePretraining()
    func run(_ arguments: [String]) throws -> ProgramOutcome {
      let outcome = try Attune.run(["policy"] + arguments, in: folder)
      #expect(outcome.status == 0, "\(arguments): \(outcome.output)")
      return outcome
    }
    _ = try run([
      "pretrain", "--config", "pretrain.yaml", "--output", "cloned", "policy.network.kind=gmm",
      "num_modes=3", "policy.network.stdKind=learned",
    ])
    let cloned = try PolicyCheckpoint(path: folder.file("cloned/policy.safetensors"))
    #expect(cloned.configuration.network.kind == .gmm && cloned.configuration.network.modes == 3)
    #expect(try metrics("cloned").contains("validationLoss"))
    let evaluate = [
      "evaluate", "--checkpoint", "cloned/policy.safetensors", "--episodes", "2", "--json",
      "--quiet",
    ]
    let played = try (0..<2).map { _ in try run(evaluate).standardOutput }
    #expect(played[0] == played[1] && played[0].contains("meanReturn"))

    for output in ["whole", "part"] {
      _ = try run([
        "finetune", "--config", "finetune.yaml", "--checkpoint", "cloned/policy.safetensors",
        "--output", output,
      ])
    }
    // As if it had been killed before its last iteration.
    try FileManager.default.removeItem(
      at: url.appending(path: "part/checkpoints/iteration-000010.safetensors"))
    _ = try run(["finetune", "--resume", "part"])
    #expect(try metrics("part") == metrics("whole"))
    #expect(try metrics("whole").contains("clipFraction"))
    let served = try run([
      "serve", "--checkpoint", "whole/policy.safetensors", "--port", "0", "--check",
    ])
    #expect(served.standardOutput.contains("gmm"))
  }

  /// A finished run says so and has its policy again; another command names the right one.
  @Test func finishedRunsSayWhatCouldFollow() throws {
    let short = [
      "training.iterations=1", "evaluation.interval=1", "evaluation.videoEpisodes=1",
    ]
    let first = try Attune.run(
      ["policy", "finetune", "--config", "finetune.yaml", "--output", "run"] + short, in: folder)
    #expect(first.status == 0, "\(first.output)")
    for video in ["before", "after"] {
      #expect(try folder.bytes("run/videos/\(video).mp4").count > 1000)
    }
    try FileManager.default.removeItem(atPath: folder.file("run/policy.safetensors"))
    let again = try finetune("--resume", "run")
    #expect(again.status == 0 && again.output.contains("1 iteration of 1 done"))
    #expect(again.output.contains("training.iterations=2"), "\(again.output)")
    #expect(folder.holds("run/policy.safetensors"))
    let more = try finetune("--resume", "run", "training.iterations=2")
    #expect(more.status == 0 && more.output.contains("resumes after iteration 1 of 2"))
    expectOneLine(
      try Attune.run(["policy", "pretrain", "--resume", "run"], in: folder),
      "attune policy finetune --resume run", status: 2)
    expectOneLine(
      try finetune("--resume", "run", "training.iterations=3", "training.environments=7"),
      "training.environments", "expected 4")
    expectOneLine(try finetune("--resume", "run", "--seed", "3"), "keeps the seed", status: 2)
  }

  @Test func otherRobotsAreRefusedAtOnce() throws {
    try folder.writePretraining()
    let outcome = try Attune.run(
      [
        "policy", "pretrain", "--config", "pretrain.yaml", "--output", "run",
        "policy.environment.name=hopper",
      ], in: folder)
    expectOneLine(outcome, "demonstrations.path", "those of 'hopper', 11 and 3")
    #expect(try metrics("run").isEmpty)
  }

  /// Where a result cannot go is said before the work, and what was worked out before the video.
  @Test func outputsAreCheckedFirst() throws {
    let evaluate = ["policy", "evaluate", "--checkpoint", "policy.safetensors", "--episodes", "1"]
    let outcome = try Attune.run(evaluate + ["--video", "no/video.mp4"], in: folder)
    expectOneLine(outcome, "no/video.mp4")
    #expect(outcome.standardOutput.isEmpty)
    expectOneLine(
      try Attune.run(evaluate + ["--video", "video.avi"], in: folder), ".mp4", status: 2)
    try folder.writeActor()
    expectOneLine(
      try Attune.run(
        [
          "policy", "collect", "--environment", "hopper", "--policy", "actor.safetensors",
          "--episodes", "1", "--output", "no/hopper.npz",
        ], in: folder), "no/hopper.npz")
  }

  @Test func evaluationReportsStableKeys() throws {
    let arguments = [
      "policy", "evaluate", "--checkpoint", "policy.safetensors", "--episodes", "3", "--json",
      "--quiet", "--video", "video.mp4", "--video-episodes", "1",
    ]
    let outcome = try Attune.run(arguments, in: folder)
    let output = outcome.standardOutput
    #expect(outcome.status == 0, "\(outcome.output)")
    let object = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
    let report = try #require(object)
    #expect(
      Set(report.keys) == [
        "environment", "episodes", "meanReturn", "standardError", "successRate",
        "bestRewardMean", "meanLength", "parameters", "episodeResults",
      ])
    #expect(report["episodes"] as? Int == 3 && report["meanLength"] as? Double == 40)
    let video = try FileManager.default.attributesOfItem(
      atPath: url.appending(path: "video.mp4").path)
    #expect((video[.size] as? Int ?? 0) > 1000)
    #expect(try Attune.run(arguments, in: folder).standardOutput == output)
  }

  /// A policy against itself gains nothing, with no error left; another policy gains what it gains.
  @Test func policiesAreComparedEpisodeByEpisode() throws {
    let outcome = try Attune.run(
      [
        "policy", "evaluate", "--checkpoint", "policy.safetensors", "--against",
        "policy.safetensors", "--episodes", "3", "--json", "--quiet", "--video", "both.mp4",
        "--video-episodes", "1",
      ], in: folder)
    #expect(outcome.status == 0, "\(outcome.output)")
    let object = try JSONSerialization.jsonObject(with: Data(outcome.standardOutput.utf8))
    let report = try #require(object as? [String: Any])
    let against = try #require(report["against"] as? [String: Any])
    #expect(against["meanReturn"] as? Double == report["meanReturn"] as? Double)
    for key in ["returnGain", "bestRewardGain", "successGain"] {
      let gain = try #require(report[key] as? [String: Double])
      #expect(gain == ["mean": 0, "standardError": 0], "\(key)")
    }
    let video = try Data(contentsOf: url.appending(path: "both.mp4"))
    #expect(video.count > 1000)

    let text = try Attune.run(
      [
        "policy", "evaluate", "--checkpoint", "policy.safetensors", "--against",
        "policy.safetensors", "--episodes", "2", "--quiet",
      ], in: folder)
    #expect(text.standardOutput.contains("success +0.000 points +- 0.000 points"))
    let wrong = try Attune.run(
      [
        "policy", "evaluate", "--checkpoint", "policy.safetensors", "--against",
        "missing.safetensors",
      ], in: folder)
    #expect(wrong.status == 1 && wrong.output.contains("missing.safetensors"))
  }

  @Test func wrongInputsGetOneLine() throws {
    let wrong: [([String], Int32, String)] = [
      (["--config", "missing.yaml"], 1, "missing.yaml"),
      (["--config", "finetune.yaml", "training.clipRang=1"], 1, "clipRange"),
      (["--config", "finetune.yaml", "training.epochs=no"], 1, "training.epochs"),
      (["--config", "finetune.yaml", "training.fineTunedSteps=9"], 1, "fineTunedSteps"),
      (["--config", "finetune.yaml", "--checkpoint", "finetune.yaml"], 1, "finetune.yaml"),
      (["--config", "finetune.yaml", "--threads", "0"], 2, "--threads"),
      (["--resume", "."], 1, "run"),
      ([], 2, "--config"),
    ]
    for (index, (arguments, status, text)) in wrong.enumerated() {
      let output = arguments.contains("--config") ? ["--output", "wrong\(index)"] : []
      let result = try Attune.run(["policy", "finetune"] + arguments + output, in: folder)
      #expect(result.status == status, "\(arguments): \(result.output)")
      #expect(result.output.contains(text), "\(arguments): \(result.output)")
      #expect(result.output.split(separator: "\n").count <= 3, "\(result.output)")
    }
  }
}

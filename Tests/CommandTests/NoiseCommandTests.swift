import Files
import Foundation
import Media
import TestSupport
import Testing

/// `attune noise optimize | evaluate` and `attune image sample --prior`, with a model of a few
/// weights.
@Suite(.serialized) struct NoiseCommandTests {
  private let folder: TemporaryFolder
  private var url: URL { folder.url }

  init() throws {
    folder = try TemporaryFolder()
    try folder.writeImageTraining()
    try folder.write(
      """
      model: model/model
      reward: "command:./number"
      prompts: [an elf, a human in a blue robe]
      sampling: {stepCount: 2}
      find: {imageCount: 4, iterations: 4}
      gridCount: 2
      """, to: "find.yaml")
    // A number that depends on every byte of an image, 0 to 999.
    try script(
      "number",
      "printf '['; comma=; for f in \"$1\"/*.png; do printf '%s%s' \"$comma\" "
        + "$(($(cksum < \"$f\" | cut -d' ' -f1) % 1000)); comma=,; done; echo ]")
    let trained = try attune(
      "image", "train", "--config", "train.yaml", "--output", "model", "--quiet",
      "training.batchCount=1", "weightType=float32")
    #expect(trained.status == 0, "\(trained.output)")
  }

  private func attune(_ arguments: String...) throws -> ProgramOutcome {
    try Attune.run(arguments, in: folder)
  }

  private func bytes(_ name: String) throws -> [UInt8] { try folder.bytes(name) }

  @Test func optimizesAndGoesOnMetricForMetric() throws {
    let whole = try attune("noise", "optimize", "--config", "find.yaml", "--output", "whole")
    #expect(whole.status == 0, "\(whole.output)")
    #expect(whole.output.contains("after: reward"))
    let metrics = try folder.text("whole/metrics.jsonl")
    #expect(metrics.split(separator: "\n").count == 4)
    #expect(metrics.contains("\"klDivergence\"") && metrics.contains("\"rewardOfPrompt2\""))
    for name in ["before", "after", "reward"] {
      let image = try Image(contentsOfFile: url.appending(path: "whole/images/\(name).png").path)
      #expect(image.width > 100)
    }
    #expect(try bytes("whole/images/before.png") != bytes("whole/images/after.png"))

    let part = try attune(
      "noise", "optimize", "--config", "find.yaml", "--output", "part", "--iterations", "2",
      "--threads", "1")
    #expect(part.status == 0, "\(part.output)")
    let resumed = try attune("noise", "optimize", "--resume", "part", "--iterations", "4")
    #expect(resumed.status == 0, "\(resumed.output)")
    #expect(try folder.text("part/metrics.jsonl") == metrics)

    // What was learned for one prompt must not go on under another; the run is left as it was.
    let settings = try folder.text("part/config.yaml")
    let relabelled = try attune(
      "noise", "optimize", "--resume", "part", "--iterations", "6", "prompts=[a tree, a house]")
    #expect(relabelled.status == 1 && relabelled.output.contains("prompts"), "\(relabelled.output)")
    #expect(try folder.text("part/config.yaml") == settings)

    // Nothing is left to do; a prior that somebody has removed is written again.
    try FileManager.default.removeItem(atPath: folder.file("part/prior-2.safetensors"))
    let finished = try attune("noise", "optimize", "--resume", "part")
    #expect(finished.status == 0 && finished.output.contains("4 iterations of 4 done"))
    #expect(finished.output.contains("find.iterations=8"))
    for name in ["prior-1.safetensors", "prior-2.safetensors", "images/after.png"] {
      #expect(try bytes("part/\(name)") == bytes("whole/\(name)"), "\(name)")
    }
  }

  @Test func priorsAreUsedAndScored() throws {
    let run = try attune(
      "noise", "optimize", "--config", "find.yaml", "--output", "run", "--prompt", "an elf",
      "--quiet")
    #expect(run.status == 0 && run.output.isEmpty, "\(run.output)")
    let sample =
      ["image", "sample", "--model", "model/model", "--prompt", "an elf"]
      + ["--steps", "2"]
    let use = sample + ["--count", "2", "--prior", "run/prior.safetensors"]
    let drawn = try Attune.run(use + ["--output", "a.png"], in: folder)
    #expect(drawn.status == 0 && !drawn.output.contains("warning"), "\(drawn.output)")
    let plain = try Attune.run(sample + ["--count", "2", "--output", "b.png"], in: folder)
    #expect(plain.status == 0)
    #expect(try bytes("a.png") != bytes("b.png"))
    // A prior brings the steps and the guidance that it was learned with.
    let own = try attune(
      "image", "sample", "--model", "model/model", "--prompt", "an elf", "--count", "2", "--prior",
      "run/prior.safetensors", "--output", "own.png")
    #expect(own.status == 0 && !own.output.contains("warning"), "\(own.output)")
    #expect(try bytes("own.png") == bytes("a.png"))
    let warned = try Attune.run(use + ["--output", "c.png", "--prompt", "an orc"], in: folder)
    #expect(warned.status == 0 && warned.output.contains("learned for the prompt 'an elf'"))

    let evaluate = [
      "noise", "evaluate", "--model", "model/model", "--prior", "run/prior.safetensors",
      "--reward", "command:./number", "--score", "2*command:./number", "--count", "4", "--quiet",
    ]
    let json = try Attune.run(evaluate + ["--json"], in: folder)
    #expect(json.status == 0 && json.output.contains("no diversity"), "\(json.output)")
    let report = try JSONDecoder().decode(Report.self, from: Data(json.standardOutput.utf8))
    #expect(report.prompt == "an elf" && report.count == 4 && report.bestOf == 5)
    // The score is twice what was optimized.
    #expect(abs(2 * report.reward.plain.mean - report.twice.plain.mean) <= 1e-3)
    #expect(report.reward.bestOfN.mean > report.reward.plain.mean)
    #expect(report.reward.prior.standardError >= 0)
    let table = try Attune.run(evaluate, in: folder)
    #expect(table.output.contains("best of 5") && table.output.contains("2CommandNumber"))

    // Another model: one more batch of training.
    let other = try attune(
      "image", "train", "--config", "train.yaml", "--output", "other", "--quiet", "seed=1",
      "training.batchCount=1")
    #expect(other.status == 0)
    let refused = try attune(
      "image", "sample", "--model", "other/model", "--prompt", "an elf", "--steps", "2", "--prior",
      "run/prior.safetensors", "--output", "d.png")
    #expect(refused.status == 1 && refused.output.contains("another model"), "\(refused.output)")
    let size = try Attune.run(use + ["--output", "e.png", "--width", "40"], in: folder)
    #expect(size.status == 1 && size.output.contains("[16, 16, 12]"), "\(size.output)")
  }

  /// Several priors: each the same as alone, and their mean.
  @Test func severalPriorsAreAveraged() throws {
    let run = try attune("noise", "optimize", "--config", "find.yaml", "--output", "run", "--quiet")
    #expect(run.status == 0, "\(run.output)")
    let evaluate = { (priors: [String], flags: [String]) in
      try Attune.run(
        ["noise", "evaluate", "--model", "model/model", "--reward", "command:./number"]
          + ["--count", "4", "--quiet", "--prior"] + priors + flags, in: self.folder)
    }
    let priors = [1, 2].map { "run/prior-\($0).safetensors" }
    let both = try evaluate(priors, ["--json"])
    #expect(both.status == 0, "\(both.output)")
    let alone = try priors.map { try evaluate([$0], ["--json"]).standardOutput }
    #expect(zip(alone, priors).allSatisfy { $0.contains("\"\($1)\"") })
    let list = alone.map { $0.trimmingCharacters(in: .newlines) }.joined(separator: ",")
    #expect(both.standardOutput.hasPrefix("{\"priors\":[\(list)],\"summary\":{"))
    #expect(both.standardOutput.contains("\"gainOverBestOfN\""))
    #expect(both.standardOutput.split(separator: "\n").count == 1)
    // The same prior twice: one prompt, and its plain images are drawn once for both.
    let twice = try evaluate([priors[0], priors[0]], [])
    #expect(twice.output.contains("2 priors of 1 prompt"), "\(twice.output)")
    #expect(twice.output.contains("prior - best of N"))
    // All are read before anything is drawn.
    let wrong = try evaluate([priors[0], "find.yaml"], [])
    #expect(wrong.status == 1 && wrong.standardOutput.isEmpty, "\(wrong.output)")
  }

  private struct Report: Decodable {
    struct Score: Decodable {
      struct Estimate: Decodable { var mean, standardError: Double }
      var plain, prior, bestOfN: Estimate
    }
    var prompt: String
    var count, bestOf: Int
    var reward, twice: Score

    enum CodingKeys: String, CodingKey {
      case prompt, count, bestOf, reward
      case twice = "2CommandNumber"
    }
  }

  /// A reward in a shell script; `$1` is the folder of images.
  private func script(_ name: String, _ text: String) throws {
    try folder.write("#!/bin/sh\n\(text)\n", to: name)
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: folder.file(name))
  }

  /// The same as a setting.
  private func scorer(_ name: String, _ text: String) throws -> String {
    try script(name, text)
    return "reward=command:./\(name)"
  }

  @Test func rewardsThatFailLeaveTheRunWhole() throws {
    let sizes = try scorer(
      "sizes", "printf '['; for f in \"$1\"/*.png; do stat -c %s, \"$f\"; done; echo 0]")
    let crash = try scorer("crash", "echo no model >&2; exit 3")
    let hang = try scorer("hang", "sleep 30")
    let garbage = try scorer("garbage", "echo I like them")
    let nothing = try scorer("nothing", "echo '[NaN, null, NaN, NaN, 1, 2, 3, 4]'")
    let cases: [(String, String)] = [
      (crash, "no model"), (hang, "did not end within 1"), (garbage, "I like them"),
      // A number too many: the zero at the end.
      (sizes, "numbers"), (nothing, "2 numbers"),
    ]
    for (index, (reward, text)) in cases.enumerated() {
      let name = "run\(index)"
      let result = try attune(
        "noise", "optimize", "--config", "find.yaml", "--output", name, "--prompt", "an elf",
        "--quiet", reward, "rewardTimeLimit=1")
      #expect(result.status == 1 && result.output.contains(text), "\(result.output)")
      #expect(result.output.split(separator: "\n").count <= 2, "\(result.output)")
      #expect(folder.holds("\(name)/config.yaml"))
    }
  }

  @Test func imagesWithoutARewardAreLeftOut() throws {
    // As many numbers as images, the first of them none; and none at all.
    let some = try scorer(
      "some",
      "n=$(ls \"$1\" | wc -l); printf '[NaN'; i=1; while [ $i -lt $n ]; do printf ', %s' $i; "
        + "i=$((i + 1)); done; echo ]")
    let kept = try attune(
      "noise", "optimize", "--config", "find.yaml", "--output", "some-run", "--prompt", "an elf",
      "--quiet", some)
    #expect(kept.status == 0, "\(kept.output)")
    #expect(kept.output.contains("no finite number for 1 image, left out"), "\(kept.output)")
    #expect(try folder.text("some-run/metrics.jsonl").contains("\"droppedCount\": 1.0"))

    let none = try scorer(
      "none",
      "n=$(ls \"$1\" | wc -l); printf '[null'; i=1; while [ $i -lt $n ]; do printf ', null'; "
        + "i=$((i + 1)); done; echo ]")
    let stopped = try attune(
      "noise", "optimize", "--config", "find.yaml", "--output", "none-run", "--prompt", "an elf",
      "--quiet", none)
    #expect(stopped.status == 1, "\(stopped.output)")
    #expect(stopped.output.contains("no finite number for 4 of 4 images"), "\(stopped.output)")
  }

  @Test func wrongInputsGetOneLine() throws {
    let unfinished = url.appending(path: "model/model/unet/config.json")
    let optimize = ["noise", "optimize"]
    let named = ["--model", "model/model", "--prompt", "x"]
    let cases: [([String], Int32, String)] = [
      (optimize + ["--prompt", "x", "--reward", "clip"], 2, "--config"),
      (optimize + ["--model", "model/model", "--reward", "png-size"], 1, "--prompt TEXT"),
      (optimize + named, 1, "--reward NAME"), (optimize + named + ["--reward", "clap"], 1, "clip"),
      (optimize + named + ["--reward", "clip"], 1, "--clip DIR"),
      (optimize + ["--model", "nowhere", "--prompt", "x", "--reward", "png-size"], 1, "nowhere"),
      (optimize + named + ["--reward", "png-size", "find.imageCount=5"], 1, "find.imageCount"),
      (optimize + named + ["--reward", "png-size", "find.stepsize=5"], 1, "stepSize"),
      (optimize + named + ["--reward", "png-size", "--iterations=0"], 1, "iterations"),
      (["noise", "evaluate", "--model", "model/model", "--reward", "png-size"], 2, "--prior"),
      (
        [
          "noise", "evaluate", "--model", "model/model", "--reward", "png-size", "--prior",
          "find.yaml",
        ], 1, "find.yaml"
      ),
    ]
    for (index, (arguments, status, text)) in cases.enumerated() {
      let more = arguments.contains("optimize") ? ["--output", "wrong\(index)"] : []
      let result = try Attune.run(arguments + more, in: folder)
      #expect(result.status == status, "\(arguments): \(result.output)")
      #expect(result.output.contains(text), "\(arguments): \(result.output)")
      #expect(result.output.split(separator: "\n").count <= 4, "\(result.output)")
    }
    // A part of the model is missing.
    try FileManager.default.removeItem(at: unfinished)
    let missing = try Attune.run(optimize + named + ["--reward", "png-size"], in: folder)
    #expect(missing.status == 1 && missing.output.contains("unet/config.json"))
  }
}

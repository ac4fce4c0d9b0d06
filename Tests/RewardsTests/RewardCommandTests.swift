import Files
import Foundation
import Media
import Testing

@testable import Rewards

/// `attune reward` as a user runs it.
@Suite(.serialized) struct RewardCommandTests {
  /// Beside this test bundle in the build's folder.
  private var program: String? {
    var folder = URL(filePath: CommandLine.arguments[0])
    if let executable = Bundle.allBundles.first(where: { $0.bundlePath.hasSuffix(".xctest") }) {
      folder = executable.bundleURL
    }
    let candidates = [folder.deletingLastPathComponent(), Bundle.main.bundleURL]
      .map { $0.appending(path: "attune").path }
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  private func attune(
    _ arguments: [String], in folder: TemporaryFolder
  ) throws -> (outcome: ProgramRun.Outcome, output: String, errors: String) {
    let program = try #require(program, "no attune beside the tests")
    let run = ProgramRun(
      words: [program] + arguments, outputPath: folder.file("stdout"),
      errorsPath: folder.file("stderr"), timeLimit: 250)
    let outcome = try run()
    return (
      outcome, try String(contentsOfFile: folder.file("stdout"), encoding: .utf8),
      try String(contentsOfFile: folder.file("stderr"), encoding: .utf8)
    )
  }

  private func settings(_ kind: String) -> [String] {
    [
      "kind=\(kind)", "dolls.folder=\(Goldens.root)/CaptionedImages/dolls", "validation.count=16",
      "reportInterval=2", "checkpointInterval=2", "validation.interval=4", "clip.width=16",
      "clip.headCount=2", "clip.vocabularySize=520", "clip.optimization.stepCount=6",
      "clip.optimization.batchSize=8", "clip.optimization.warmUpStepCount=2",
      "classifier.channels=[8, 8, 8]", "classifier.optimization.stepCount=6",
      "classifier.optimization.batchSize=8", "classifier.optimization.warmUpStepCount=2",
    ]
  }

  @Test func trainedModelsJudgePictures() throws {
    let folder = try TemporaryFolder()
    try "seed: 3\n".write(toFile: folder.file("reward.yaml"), atomically: true, encoding: .utf8)
    for kind in ["clip", "classifier"] {
      let start = ["reward", "train", "--config", folder.file("reward.yaml"), "--quiet"]
      let whole = try attune(
        start + ["--output", folder.file("whole-\(kind)")] + settings(kind), in: folder)
      #expect(whole.outcome == .status(0), "\(whole.errors)")
      // Stopped after four steps and resumed: the same metrics and the same weights.
      let half = try attune(
        start + ["--output", folder.file("half-\(kind)")] + settings(kind)
          + ["\(kind).optimization.stepCount=4"], in: folder)
      #expect(half.outcome == .status(0), "\(half.errors)")
    }
    let (images, texts) = try Goldens.pictures(2)
    for (index, image) in images.enumerated() {
      try image.writePNG(to: folder.file("\(index).png"))
    }
    let judged = try attune(
      [
        "reward", "score", "--reward", "0.5*clip + png-size", "--clip",
        folder.file("whole-clip/model"), "--prompt", texts[0], "--prompt", texts[1], "--json",
        folder.file("0.png"), folder.file("1.png"),
      ], in: folder)
    #expect(judged.outcome == .status(0), "\(judged.errors)")
    let report = try JSONValue(path: folder.file("stdout")).members
    let model = try ImageTextModel(folder: folder.file("whole-clip/model"))
    let clip = CLIPReward(model).scores(images: images, prompts: texts)
    let size = PNGSizeReward(.incompressibility).scores(images: images, prompts: texts)
    #expect(report["droppedCount"] == 0)
    for (index, value) in (report["scores"]?.values ?? []).enumerated() {
      guard case .number(let score) = value.members["score"] else {
        Issue.record("no score in \(value)")
        continue
      }
      #expect(!(abs(Float(score) - (0.5 * clip[index] + size[index])) > 1e-4))
    }
    #expect(report["scores"]?.values.count == 2)
    _ = try AttributeClassifier(folder: folder.file("whole-classifier/model"))
  }

  @Test func resumedRunsAreExact() throws {
    let folder = try TemporaryFolder()
    try "seed: 3\n".write(toFile: folder.file("reward.yaml"), atomically: true, encoding: .utf8)
    let start = ["reward", "train", "--config", folder.file("reward.yaml"), "--quiet"]
    for name in ["whole", "broken"] {
      let run = try attune(
        start + ["--output", folder.file(name)] + settings("classifier"), in: folder)
      #expect(run.outcome == .status(0), "\(run.errors)")
    }
    // As after a kill between steps 4 and 6: the last checkpoint is that of step 4.
    let checkpoints = folder.file("broken/checkpoints")
    for name in try FileManager.default.contentsOfDirectory(atPath: checkpoints)
    where name.contains("6") {
      try FileManager.default.removeItem(atPath: "\(checkpoints)/\(name)")
    }
    let resumed = try attune(
      ["reward", "train", "--resume", folder.file("broken"), "--quiet"], in: folder)
    #expect(resumed.outcome == .status(0), "\(resumed.errors)")
    for name in ["metrics.jsonl", "model/model.safetensors"] {
      #expect(
        FileManager.default.contentsEqual(
          atPath: folder.file("whole/\(name)"), andPath: folder.file("broken/\(name)")), "\(name)")
    }
  }

  /// Ctrl-C between two lines of metrics: the resumed run writes the lines of one never stopped.
  @Test func interruptedRunsAreExact() throws {
    let folder = try TemporaryFolder()
    try "seed: 3\n".write(toFile: folder.file("reward.yaml"), atomically: true, encoding: .utf8)
    let arguments =
      ["reward", "train", "--config", folder.file("reward.yaml"), "--quiet"]
      + settings("classifier")
      + [
        "classifier.optimization.stepCount=80", "reportInterval=7", "checkpointInterval=70",
        "validation.interval=35",
      ]
    let whole = try attune(arguments + ["--output", folder.file("whole")], in: folder)
    #expect(whole.outcome == .status(0), "\(whole.errors)")

    let process = Process()
    process.executableURL = URL(filePath: try #require(program))
    process.arguments = arguments + ["--output", folder.file("stopped")]
    process.standardError = FileHandle.nullDevice
    try process.run()
    let metrics = folder.file("stopped/metrics.jsonl")
    while process.isRunning,
      (try? String(contentsOfFile: metrics, encoding: .utf8))?.isEmpty != false
    {
      usleep(1_000)
    }
    process.interrupt()
    process.waitUntilExit()
    #expect([0, 130].contains(process.terminationStatus))
    if process.terminationStatus == 130 {
      let resumed = try attune(
        ["reward", "train", "--resume", folder.file("stopped"), "--quiet"], in: folder)
      #expect(resumed.outcome == .status(0), "\(resumed.errors)")
    } else {
      print("the run ended before it could be interrupted")
    }
    for name in ["metrics.jsonl", "model/model.safetensors"] {
      #expect(
        FileManager.default.contentsEqual(
          atPath: folder.file("whole/\(name)"), andPath: folder.file("stopped/\(name)")),
        "\(name)")
    }
  }

  @Test func mistakesAreOneLine() throws {
    let folder = try TemporaryFolder()
    let (images, _) = try Goldens.pictures(1)
    try images[0].writePNG(to: folder.file("a.png"))
    try "kind: clop\n".write(toFile: folder.file("bad.yaml"), atomically: true, encoding: .utf8)
    let script = try folder.script("echo oh no >&2; exit 4")
    let hanging = try folder.script("sleep 60", "hanging.sh")
    let score = ["reward", "score", folder.file("a.png"), "--prompt", "x", "--reward"]
    let cases: [([String], String)] = [
      (score + ["clap"], "did you mean 'clip'?"), (score + ["clip"], "needs a model"),
      (score + ["clip", "--clip", folder.path], "config.json"),
      (score + ["command:/bin/sh \(script)"], "status 4; it said: oh no"),
      (score + ["command:/bin/sh \(hanging)", "--time-limit", "0.3"], "0.3 s and was killed"),
      (["reward", "score", folder.file("b.png"), "--reward", "png-size"], "b.png"),
      (["reward", "train", "--config", folder.file("bad.yaml")], "clop"),
    ]
    for (arguments, words) in cases {
      let (outcome, output, errors) = try attune(arguments, in: folder)
      #expect(outcome == .status(1) || outcome == .status(2), "\(arguments)")
      #expect(output.isEmpty)
      #expect(errors.contains(words), "\(errors)")
      #expect(errors.split(separator: "\n").count <= 2, "\(errors)")
    }
  }
}

import Files
import Foundation
import Media
import Runs
import Tensors
import TestSupport
import Testing

@testable import Rewards

/// `attune reward` as a user runs it.
@Suite(.serialized) struct RewardCommandTests {
  private func attune(
    _ arguments: [String], in folder: TemporaryFolder
  ) throws -> ProgramOutcome {
    try Attune.run(arguments, in: folder, timeLimit: 250)
  }

  private func settings(_ kind: String) -> [String] {
    [
      "kind=\(kind)", "dolls.folder=\(Repository.golden(""))/CaptionedMedia/dolls",
      "validation.count=16",
      "reportInterval=2", "checkpointInterval=2", "validation.interval=4", "clip.width=16",
      "clip.headCount=2", "clip.vocabularySize=520", "clip.optimization.stepCount=6",
      "clip.optimization.batchSize=8", "clip.optimization.warmUpStepCount=2",
      "classifier.channels=[8, 8, 8]", "classifier.optimization.stepCount=6",
      "classifier.optimization.batchSize=8", "classifier.optimization.warmUpStepCount=2",
    ]
  }

  @Test func trainedModelsScoreImages() throws {
    let folder = try TemporaryFolder()
    try "seed: 3\n".write(toFile: folder.file("reward.yaml"), atomically: true, encoding: .utf8)
    for kind in ["clip", "classifier"] {
      let start = ["reward", "train", "--config", folder.file("reward.yaml"), "--quiet"]
      let whole = try attune(
        start + ["--output", folder.file("whole-\(kind)")] + settings(kind), in: folder)
      #expect(whole.status == 0, "\(whole.output)")
      // Stopped after four steps and resumed: the same metrics and the same weights.
      let half = try attune(
        start + ["--output", folder.file("half-\(kind)")] + settings(kind)
          + ["\(kind).optimization.stepCount=4", "weightType=float16"], in: folder)
      #expect(half.status == 0, "\(half.output)")
      let sizes = try ["whole", "half"].map {
        try folder.bytes("\($0)-\(kind)/model/model.safetensors").count
      }
      #expect(sizes[1] < sizes[0], "\(sizes)")
    }
    let (images, texts) = try Goldens.images(2)
    for (index, image) in images.enumerated() {
      try image.writePNG(to: folder.file("\(index).png"))
    }
    let scored = try attune(
      [
        "reward", "score", "--reward", "0.5*clip + png-size", "--clip",
        folder.file("whole-clip/model"), "--prompt", texts[0], "--prompt", texts[1], "--json",
        folder.file("0.png"), folder.file("1.png"),
      ], in: folder)
    #expect(scored.status == 0, "\(scored.output)")
    try folder.write(scored.standardOutput, to: "report.json")
    let report = try JSONValue(path: folder.file("report.json")).members
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
      #expect(run.status == 0, "\(run.output)")
    }
    // As after a kill between steps 4 and 6: the last checkpoint is that of step 4.
    let checkpoints = folder.file("broken/checkpoints")
    for name in try FileManager.default.contentsOfDirectory(atPath: checkpoints)
    where name.contains("6") {
      try FileManager.default.removeItem(atPath: "\(checkpoints)/\(name)")
    }
    let resumed = try attune(
      ["reward", "train", "--resume", folder.file("broken"), "--quiet"], in: folder)
    #expect(resumed.status == 0, "\(resumed.output)")
    for name in ["metrics.jsonl", "model/model.safetensors"] {
      #expect(
        FileManager.default.contentsEqual(
          atPath: folder.file("whole/\(name)"), andPath: folder.file("broken/\(name)")), "\(name)")
    }
  }

  /// A loss that is not finite ends a run with the last checkpoint's name; runs of an earlier
  /// version, whose checkpoints named tensors otherwise, go on.
  @Test func changedCheckpointsAreGoneOnFrom() throws {
    let folder = try TemporaryFolder()
    try "seed: 3\n".write(toFile: folder.file("reward.yaml"), atomically: true, encoding: .utf8)
    let whole = try attune(
      ["reward", "train", "--config", folder.file("reward.yaml"), "--quiet"]
        + ["--output", folder.file("whole")] + settings("classifier"), in: folder)
    #expect(whole.status == 0, "\(whole.output)")

    /// What going on from step 4 with a changed checkpoint gives.
    func resume(
      _ name: String, _ change: (inout [String: StoredTensor]) -> Void
    ) throws -> ProgramOutcome {
      try FileManager.default.copyItem(atPath: folder.file("whole"), toPath: folder.file(name))
      let checkpoints = CheckpointFolder(path: folder.file("\(name)/checkpoints"))
      try FileManager.default.removeItem(atPath: checkpoints.path(ofIteration: 6))
      let path = checkpoints.path(ofIteration: 4)
      var checkpoint = try Checkpoint(path: path)
      change(&checkpoint.tensors)
      try checkpoint.write(to: path)
      return try attune(
        ["reward", "train", "--resume", folder.file(name), "--quiet"], in: folder)
    }

    let old = try resume("old") { tensors in
      var renamed: [String: StoredTensor] = [:]
      for (name, tensor) in tensors {
        #expect(name.hasPrefix("training."))
        renamed[String(name.dropFirst("training.".count))] = tensor
      }
      tensors = renamed
    }
    #expect(old.status == 0, "\(old.output)")
    for name in ["metrics.jsonl", "model/model.safetensors"] {
      #expect(try folder.bytes("old/\(name)") == folder.bytes("whole/\(name)"), "\(name)")
    }

    let broken = try resume("broken") { tensors in
      for (name, tensor) in tensors where name.hasPrefix("training.weights.") {
        tensors[name] = StoredTensor(Tensor(repeating: .nan, shape: tensor.shape))
      }
    }
    #expect(broken.status == 1)
    for words in [
      "iteration 5: 'convolutions.0.weight' has 216 of 216 elements that are not finite",
      "checkpoints/iteration-000004.safetensors", "before this iteration",
    ] {
      #expect(broken.standardError.contains(words), "\(broken.output)")
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
    #expect(whole.status == 0, "\(whole.output)")

    let process = try Attune.start(arguments + ["--output", folder.file("stopped")])
    try process.wait { (try? folder.text("stopped/metrics.jsonl"))?.isEmpty == false }
    process.send(SIGINT)
    let stopped = try process.finish()
    #expect([0, 130].contains(stopped.status))
    if stopped.status == 130 {
      let resumed = try attune(
        ["reward", "train", "--resume", folder.file("stopped"), "--quiet"], in: folder)
      #expect(resumed.status == 0, "\(resumed.output)")
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

  /// A CLIP model of a user's own images, from a folder to scores, and through a resume.
  @Test func clipLearnsFromImagesOfYourOwn() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.file("photos"), withIntermediateDirectories: false)
    let (images, texts) = try Goldens.images(24)
    var lines = ""
    for (index, image) in images.enumerated() {
      try image.writePNG(to: folder.file("photos/\(index).png"))
      lines += #"{"file_name": "\#(index).png", "text": "\#(texts[index])"}"# + "\n"
    }
    try folder.write(lines, to: "photos/metadata.jsonl")
    try folder.write(
      """
      data: {path: photos, size: 32, validationFraction: 0.25}
      clip:
        width: 16
        imageLayerCount: 1
        textLayerCount: 1
        headCount: 2
        vocabularySize: 520
        optimization: {stepCount: 6, batchSize: 6, warmUpStepCount: 2}
      validation: {count: 16, interval: 3}
      reportInterval: 1
      checkpointInterval: 3
      """, to: "own.yaml")
    let train = ["reward", "train", "--config", "own.yaml", "--output"]
    let whole = try attune(train + ["whole"], in: folder)
    #expect(whole.status == 0, "\(whole.output)")
    #expect(whole.output.contains("captions alone are learned from"), "\(whole.output)")
    #expect(whole.output.contains("6 of 6 images"), "\(whole.output)")
    #expect(try folder.text("whole/metrics.jsonl").contains("\"retrievalAccuracy\": "))

    try FileManager.default.copyItem(atPath: folder.file("whole"), toPath: folder.file("part"))
    try FileManager.default.removeItem(
      atPath: folder.file("part/checkpoints/iteration-000006.safetensors"))
    try folder.write(lines + "\n", to: "photos/metadata.jsonl")
    let changed = try attune(["reward", "train", "--resume", "part", "--quiet"], in: folder)
    #expect(changed.status == 1 && changed.output.contains("'data.path' is not what part"))
    try folder.write(lines, to: "photos/metadata.jsonl")
    let resumed = try attune(["reward", "train", "--resume", "part", "--quiet"], in: folder)
    #expect(resumed.status == 0, "\(resumed.output)")
    for name in ["metrics.jsonl", "model/model.safetensors"] {
      #expect(try folder.bytes("part/\(name)") == folder.bytes("whole/\(name)"), "\(name)")
    }
    let score = try attune(
      [
        "reward", "score", "photos/0.png", "--prompt", texts[0], "--reward", "clip", "--clip",
        "whole/model",
      ], in: folder)
    #expect(score.status == 0, "\(score.output)")

    for (overrides, words) in [
      (["kind=classifier"], "a classifier learns what a catalogue lists"),
      (["dolls.folder=dolls"], "'data.path': found photos, expected nothing beside dolls.folder"),
      (["data.path=''"], "'dolls.folder': found nothing"), (["data.size=null"], "'data.size'"),
      (["clip.patchSize=5"], "'clip.patchSize': found 5"),
      (["data.path=nowhere"], "nowhere"),
    ] {
      let wrong = try attune(train + ["wrong"] + overrides, in: folder)
      #expect(wrong.status == 1 && wrong.output.contains(words), "\(wrong.output)")
      #expect(wrong.lines.count <= 2, "\(wrong.output)")
    }
  }

  @Test func mistakesAreOneLine() throws {
    let folder = try TemporaryFolder()
    let (images, _) = try Goldens.images(1)
    try images[0].writePNG(to: folder.file("a.png"))
    try "kind: clop\n".write(toFile: folder.file("bad.yaml"), atomically: true, encoding: .utf8)
    try FileManager.default.createDirectory(
      atPath: folder.file("clip"), withIntermediateDirectories: false)
    try folder.write("{}", to: "clip/config.json")
    let script = try folder.script("echo oh no >&2; exit 4")
    let hanging = try folder.script("sleep 60", "hanging.sh")
    let score = ["reward", "score", folder.file("a.png"), "--prompt", "x", "--reward"]
    let cases: [([String], String)] = [
      (score + ["clap"], "did you mean 'clip'?"), (score + ["clip"], "needs a model"),
      (score + ["clip", "--clip", folder.path], "config.json"),
      (
        score + ["clip", "--clip", "a.png"], "is a file, where the folder of a CLIP model is wanted"
      ),
      (score + ["clip", "--clip", "clip/config.json"], "name the folder that it is in"),
      (score + ["clip", "--clip", "nowhere"], "does not exist; name the folder of a CLIP model"),
      (
        score + ["attributes:'a.png'"], "is a file, where the folder of a classifier is wanted"
      ),
      (
        [
          "image", "evaluate", "--model", "none", "--dolls", "a.png", "--classifier", "a.png",
        ], "is a file, where the folder of doll layers is wanted"
      ),
      (
        [
          "noise", "evaluate", "--model", "none", "--prior", "p.safetensors", "--reward",
          "png-size", "--classifier", "a.png", "--quiet",
        ], "is a file, where the folder of a classifier is wanted"
      ),
      (
        [
          "noise", "optimize", "--model", "none", "--prompt", "x", "--reward", "clip", "--output",
          "run", "clip=a.png",
        ], "is a file, where the folder of a CLIP model is wanted"
      ),
      (score + ["command:/bin/sh \(script)"], "status 4; it said: oh no"),
      (score + ["command:/bin/sh \(hanging)", "--time-limit", "0.3"], "0.3 s and was killed"),
      (["reward", "score", folder.file("b.png"), "--reward", "png-size"], "b.png"),
      (["reward", "train", "--config", folder.file("bad.yaml")], "clop"),
    ]
    for (arguments, words) in cases {
      let outcome = try attune(arguments, in: folder)
      #expect(outcome.status == 1 || outcome.status == 2, "\(arguments)")
      #expect(outcome.standardOutput.isEmpty)
      #expect(outcome.standardError.contains(words), "\(outcome.standardError)")
      #expect(outcome.lines.count <= 2, "\(outcome.standardError)")
    }
  }
}

import Foundation
import Media
import TestSupport
import Testing

/// Every option of every command with values of wrong types, negative, huge, empty and hostile
/// ones.
@Suite(.serialized) struct WrongOptionTests {
  private static let values = ["", "-1", "9223372036854775807", "1e300", "\u{1B}[31mred"]

  /// A call that succeeds quickly, for each command that takes options.
  private static let calls = [
    "policy pretrain": ["--config", "pretrain.yaml", "training.batchCount=5"],
    "policy finetune": ["--config", "finetune.yaml", "training.iterations=1"],
    "policy evaluate": ["--checkpoint", "policy.safetensors", "--episodes", "1"],
    "policy serve": ["--checkpoint", "policy.safetensors", "--port", "0", "--check"],
    "policy collect": [
      "--environment", "hopper", "--policy", "actor.safetensors", "--episodes", "1",
      "--output", "collected.npz",
    ],
    "policy export": ["--checkpoint", "policy.safetensors", "--output", "exported.onnx"],
    "policy convert": ["demonstrations.npz", "--output", "converted.npz"],
    "policy import": [
      "reference.pt", "--config", "import.yaml", "--output", "imported.safetensors",
    ],
    "image train": ["--config", "train.yaml", "training.batchCount=1"],
    "image sample": [
      "--model", "model", "--prompt", "elf", "--count", "1", "--steps", "1", "--output", "s.png",
    ],
    "video train": ["--config", "video.yaml", "training.batchCount=1"],
    "video sample": [
      "--model", "video-model", "--prompt", "elf", "--frames", "2", "--steps", "1", "--output",
      "s.mp4",
    ],
    "video evaluate": [
      "--model", "video-model", "--sprites", Repository.golden("CaptionedMedia/sprites"),
      "--count", "1", "--steps", "1", "--frames", "2",
    ],
    "image finetune": [
      "--model", "model", "--prompt", "elf", "--reward", "png-size", "training.iterations=1",
      "training.imagesPerPrompt=2", "training.stepCount=2", "training.rewardMinimumCount=2",
      "evaluation.count=1",
    ],
    "image evaluate": [
      "--model", "model", "--dolls", "dolls", "--classifier", "classifier", "--count", "1",
      "--steps", "1",
    ],
    "noise optimize": [
      "--model", "model", "--prompt", "elf", "--reward", "png-size", "--iterations", "1",
      "find.imageCount=2", "sampling.stepCount=1", "gridCount=1",
    ],
    "noise evaluate": [
      "--model", "model", "--prior", "prior.safetensors", "--reward", "png-size", "--count", "2",
    ],
    "report": ["run"], "chart": ["run", "--metric", "loss", "--output", "c.svg"],
    "image grid": ["a.png", "--output", "g.png"],
    "image video": ["a.png", "--output", "v.mp4"],
    "reward train": ["--config", "reward.yaml", "clip.optimization.stepCount=3"],
    "reward score": ["a.png", "--reward", "png-size"],
    "environment check": ["push-t", "--steps", "1"],
    "environment render": ["push-t", "timeLimit=2", "--output", "e.mp4"],
  ]

  @Test func wrongValuesGetALineOrTwo() throws {
    let folder = try TemporaryFolder()
    try folder.writeFinetuning()
    try folder.writePretraining()
    try folder.writeImageTraining()
    try folder.writeRewardTraining()
    try folder.writeActor()
    try folder.writeVideoModel("video-model")
    try folder.writeVideoTraining()
    try Image(width: 8, height: 8, filledWith: .white).writePNG(to: folder.file("a.png"))
    let training = try Attune.run(
      ["image", "train", "--config", "train.yaml", "--output", "run", "training.batchCount=1"],
      in: folder)
    #expect(training.status == 0, "\(training.output)")
    try FileManager.default.moveItem(
      atPath: folder.file("run/model"), toPath: folder.file("model"))
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("dolls"), withDestinationPath: TemporaryFolder.dolls)
    let scoring = try Attune.run(
      [
        "reward", "train", "--config", "reward.yaml", "--kind", "classifier", "--output", "score",
        "classifier.optimization.stepCount=1", "classifier.optimization.warmUpStepCount=0",
      ], in: folder)
    #expect(scoring.status == 0, "\(scoring.output)")
    try FileManager.default.moveItem(
      atPath: folder.file("score/model"), toPath: folder.file("classifier"))
    let learning = try Attune.run(
      ["noise", "optimize", "--output", "noise"] + (Self.calls["noise optimize"] ?? []),
      in: folder)
    #expect(learning.status == 0, "\(learning.output)")
    try FileManager.default.moveItem(
      atPath: folder.file("noise/prior.safetensors"), toPath: folder.file("prior.safetensors"))

    for (words, command) in try CommandDescription.program().all()
    where command.isLeaf && !command.options.isEmpty {
      let name = words.joined(separator: " ")
      guard let call = Self.calls[name] else {
        Issue.record("no call of '\(name)': add one that succeeds to `calls`")
        continue
      }
      for option in command.options {
        for value in Self.values {
          let arguments = words + call + ["--\(option)=\(value)"]
          try expectNoCrash(arguments, in: folder)
        }
      }
    }
  }

  @Test func filesThatAreMissingOrWrongAreNamed() throws {
    let folder = try TemporaryFolder()
    try folder.writeFinetuning()
    try folder.write("no image", to: "text.png")
    try folder.write([UInt8](repeating: 0xFF, count: 100), to: "noise")
    let calls = [
      ["policy", "pretrain", "--config", "FILE", "--output", "r"],
      ["policy", "pretrain", "--resume", "FILE"],
      ["policy", "finetune", "--config", "FILE", "--output", "r"],
      ["policy", "finetune", "--config", "finetune.yaml", "--checkpoint", "FILE", "--output", "r"],
      ["policy", "evaluate", "--checkpoint", "FILE"],
      [
        "policy", "collect", "--environment", "hopper", "--policy", "FILE", "--episodes", "1",
        "--output", "a.npz",
      ],
      ["policy", "export", "--checkpoint", "FILE", "--output", "e.onnx"],
      ["policy", "convert", "FILE", "--output", "c.npz"],
      ["policy", "import", "x.pt", "--config", "FILE", "--output", "p.safetensors"],
      ["image", "train", "--config", "FILE", "--output", "r"],
      ["image", "sample", "--model", "FILE", "--prompt", "x", "--output", "a.png"],
      ["video", "sample", "--model", "FILE", "--prompt", "x", "--output", "a.mp4"],
      ["image", "grid", "FILE", "--output", "g.png"],
      ["image", "video", "FILE", "--output", "v.mp4"],
      ["reward", "train", "--config", "FILE", "--output", "r"],
      ["reward", "score", "FILE", "--reward", "png-size"],
      ["reward", "score", "text.png", "--reward", "clip", "--clip", "FILE", "--prompt", "x"],
      ["environment", "render", "hopper", "--policy", "FILE", "--output", "e.mp4"],
      ["inspect", "FILE"],
    ]
    for call in calls {
      for file in ["nowhere", "text.png", "noise", "/dev/null"] {
        let outcome = try Attune.run(
          call.map { $0 == "FILE" ? file : $0 }, in: folder, limits: ["-v 8000000"], timeLimit: 120)
        expectOneLine(outcome, file)
        try? FileManager.default.removeItem(atPath: folder.file("r"))
      }
    }
  }

  /// Swift's texts cannot hold such names, so that they must not be taken for others.
  @Test func namesThatAreNotUTF8AreRefused() throws {
    let folder = try TemporaryFolder()
    let script = """
      name=$(printf 'caf\\351')
      mkdir data && : > data/$name.png && : > $name.npy
      "$0" inspect $name.npy; echo status $?
      "$0" image grid data/$name.png --output=g.png; echo status $?
      "$0" environment list $name; echo status $?
      "$0" inspect data; echo status $?
      cp "$1" data/$name.safetensors; "$0" inspect data; echo status $?
      """
    try folder.writeFinetuning()
    let outcome = try RunningProgram(
      "/bin/sh", ["-c", script, try Attune.path, folder.file("policy.safetensors")], in: folder
    ).finish()
    let statuses = outcome.standardOutput.matches(of: #/status (\d+)/#).map { $0.output.1 }
    #expect(statuses == ["2", "2", "2", "0", "0"], "\(outcome.output)")
    let refused = outcome.lines.filter { $0.contains("is not UTF-8; rename the file") }
    #expect(refused.count == 3, "\(outcome.output)")
    let bytes = outcome.output.unicodeScalars.filter { $0.value < 32 && $0 != "\n" }
    #expect(bytes.isEmpty)
  }
}

/// A command ended by itself, in time, and if it failed said why in one or two lines.
func expectNoCrash(
  _ arguments: [String], in folder: TemporaryFolder,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let outcome: ProgramOutcome
  do {
    outcome = try Attune.run(arguments, in: folder, limits: ["-v 8000000"], timeLimit: 120)
  } catch let error as RunningProgram.TimeOver {
    Issue.record("\(error)", sourceLocation: sourceLocation)
    return
  }
  let call = arguments.joined(separator: " ").debugDescription
  #expect(
    (0...2).contains(outcome.status), "\(call): \(outcome.status): \(outcome.output)",
    sourceLocation: sourceLocation)
  #expect(
    !outcome.output.contains("\u{1B}"), "\(call) repeats an escape sequence",
    sourceLocation: sourceLocation)
  if outcome.status != 0 {
    #expect(
      (1...2).contains(outcome.lines.count), "\(call): \(outcome.output)",
      sourceLocation: sourceLocation)
  }
}

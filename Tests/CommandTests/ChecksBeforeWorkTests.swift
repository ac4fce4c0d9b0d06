import Foundation
import TestSupport
import Testing

/// What later iterations need is tried before the first one, and checkpoints come before images.
@Suite(.serialized) struct ChecksBeforeWorkTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A folder that names a scheduler that Attune does not have.
  @Test func schedulersOfImagesAreTriedBeforeTheFirstBatch() throws {
    try folder.writeImageModel()
    try folder.writeImageTraining()
    let file = "model/scheduler/scheduler_config.json"
    let json = try folder.text(file)
    let renamed = json.replacing(
      #/"_class_name": ?"\w+"/#, with: "\"_class_name\": \"TCDScheduler\"")
    #expect(renamed != json)
    try folder.write(renamed, to: file)
    let index = try folder.text("model/model_index.json")
    try folder.write(
      index.replacing(#/DDIMScheduler/#, with: "TCDScheduler"), to: "model/model_index.json")
    func train(_ run: String, _ overrides: String...) throws -> ProgramOutcome {
      try Attune.run(
        [
          "image", "train", "--config", "train.yaml", "--output", run, "model.folder=model",
          "data.path=\(TemporaryFolder.dolls)", "data.width=8", "data.height=8",
          "training.batchCount=6", "samples.interval=3", "checkpointInterval=6", "--quiet",
        ] + overrides, in: folder)
    }
    expectOneLine(try train("refused"), "'samples.sampler'", "TCDScheduler", "samples.interval=0")
    #expect(try folder.text("refused/metrics.jsonl").isEmpty)
    let sampled = try train("sampled", "samples.sampler=ddim")
    #expect(sampled.status == 0, "\(sampled.output)")
    #expect(folder.holds("sampled/images/samples-000006.png"))
    // Checkpoints come before grids, whatever their interval.
    #expect(TinyTraining.checkpoints(folder.file("sampled")) == [3, 6])
    let undrawn = try train("undrawn", "samples.interval=0")
    #expect(undrawn.status == 0 && folder.holds("undrawn/model/unet"), "\(undrawn.output)")
  }

  /// What stands in the way of an image is told and ends no training.
  @Test(arguments: TinyTraining.all)
  func imagesThatCannotBeWrittenAreWarnings(_ training: TinyTraining) throws {
    let folder = try training.makeFolder()
    let isPolicy = training.command.hasPrefix("policy")
    let names = [
      "images/before.png", "images/after.png", "images/samples-000003.png",
      "images/samples-000006.png", "videos/before.mp4", "videos/after.mp4",
    ]
    for name in names {
      try FileManager.default.createDirectory(
        atPath: folder.file("run/\(name)/inner"), withIntermediateDirectories: true)
    }
    let videos = isPolicy ? ["evaluation.videoEpisodes=1"] : []
    let outcome = try Attune.run(training.start("run") + videos, in: folder)
    #expect(outcome.status == 0, "\(outcome.output)")
    #expect(
      outcome.standardError.contains(isPolicy ? "warning: no video" : "warning: no images of"),
      "\(outcome.output)")
    #expect(folder.holds("run/\(training.product)"))
    let last = TinyTraining.checkpoints(folder.file("run")).last
    #expect(last == TinyTraining.recordedIterationCount(folder.file("run")))
  }

  /// Whoever was stopped after the checkpoint and before its images has them after a resume.
  @Test(arguments: TinyTraining.all)
  func missingImagesAreDrawnOnResume(_ training: TinyTraining) throws {
    let folder = try training.makeFolder()
    let videos = training.command.hasPrefix("policy") ? ["evaluation.videoEpisodes=1"] : []
    let started = try Attune.run(training.start("run") + videos, in: folder)
    #expect(started.status == 0, "\(started.output)")
    let names = ["images/after.png", "images/samples-000006.png", "videos/after.mp4"]
      .filter { folder.holds("run/\($0)") }
    #expect(names.count == 1, "\(names)")
    for name in names {
      let bytes = try folder.bytes("run/\(name)")
      try FileManager.default.removeItem(atPath: folder.file("run/\(name)"))
      let resumed = try Attune.run(training.resume("run"), in: folder)
      #expect(resumed.status == 0, "\(resumed.output)")
      #expect(try folder.bytes("run/\(name)") == bytes)
    }
  }

  /// The room that checkpoints will need is looked for before the first iteration.
  @Test func roomForCheckpointsIsLookedForBeforehand() throws {
    let training = TinyTraining.all[3]
    let folder = try training.makeFolder()
    let whole = try Attune.run(training.start("whole"), in: folder)
    #expect(whole.status == 0, "\(whole.output)")
    let checkpoint = try folder.bytes("whole/checkpoints/iteration-000006.safetensors").count
    // One checkpoint would fit; three are there at a time.
    guard let disk = try SmallDisk(kilobytes: checkpoint * 2 >> 10, for: "room for checkpoints")
    else { return }
    let outcome = try Attune.run(training.start(disk.file("run")), in: folder)
    expectOneLine(outcome, "No space left on device: its checkpoints need", "free some space")
    let metrics = try String(contentsOfFile: disk.file("run/metrics.jsonl"), encoding: .utf8)
    #expect(metrics.isEmpty)
  }

  /// 0 is no limit wherever gradients are limited.
  @Test(arguments: [
    "policy pretrain": "pretrain.yaml", "policy finetune": "finetune.yaml",
    "image train": "train.yaml", "image finetune": "weights.yaml", "reward train": "reward.yaml",
    "video train": "video.yaml",
  ])
  func zeroIsNoGradientLimit(_ command: String, _ settings: String) throws {
    try folder.writePretraining()
    try folder.writeFinetuning()
    try folder.writeImageTraining()
    try folder.writeVideoTraining()
    try folder.writeImageImprovement()
    try folder.writeRewardTraining()
    let short = [
      "policy pretrain": ["training.batchCount=10", "evaluation.interval=0"],
      "policy finetune": ["training.iterations=2", "evaluation.interval=0"],
      "image train": ["training.batchCount=3", "samples.interval=0"],
      "video train": ["training.batchCount=3", "samples.interval=0"],
      "image finetune": ["training.iterations=2"],
      "reward train": ["clip.optimization.stepCount=4"],
    ]
    let key =
      command == "reward train"
      ? "clip.optimization.gradientNormLimit" : "training.gradientNormLimit"
    var metrics: [String] = []
    for limit in ["0", "1e9"] {
      let outcome = try Attune.run(
        command.split(separator: " ").map(String.init)
          + ["--config", settings, "--output", "run\(limit)", "--quiet", "\(key)=\(limit)"]
          + (short[command] ?? []), in: folder)
      #expect(outcome.status == 0, "\(outcome.output)")
      metrics.append(try folder.text("run\(limit)/metrics.jsonl"))
    }
    #expect(metrics[0] == metrics[1] && !metrics[0].isEmpty)
  }
}

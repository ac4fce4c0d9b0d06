import Files
import Foundation
import Media
import TestSupport
import Testing

/// `attune video sample`, and FIND on a text-to-video model, with one of a few weights.
@Suite(.serialized) struct VideoCommandTests {
  private let folder: TemporaryFolder
  private let sample = [
    "video", "sample", "--model", "model", "--prompt", "a knight", "--frames", "3", "--steps", "2",
  ]

  init() throws {
    folder = try TemporaryFolder()
    try folder.writeVideoModel("model")
  }

  private func attune(_ arguments: [String]) throws -> ProgramOutcome {
    try Attune.run(arguments, in: folder)
  }

  @Test func clipsPlayLieInRowsOrFillAFolder() throws {
    let video = try attune(sample + ["--count", "2", "--output", "a.mp4"])
    #expect(video.status == 0, "\(video.output)")
    #expect(video.output.contains("2 clips of 3 frames of 16x16"), "\(video.output)")
    #expect(try folder.bytes("a.mp4").count > 1_000)

    let rows = try attune(
      sample + ["--count", "2", "--magnify", "2", "--no-captions", "--output", "a.png"])
    #expect(rows.status == 0, "\(rows.output)")
    let image = try Image(contentsOfFile: folder.file("a.png"))
    // Two rows of three frames, with 8 pixels around each.
    #expect(image.width == 2 * 3 * 16 + 16 && image.height == 2 * (2 * 16) + 24)

    let playing = try attune(
      sample + ["--count", "2", "--magnify", "2", "--no-captions", "--output", "a.gif"])
    #expect(playing.status == 0, "\(playing.output)")
    let reader = try VideoReader(path: folder.file("a.gif"))
    // GIFs tell times in hundredths of a second.
    #expect(reader.frameCount == 3 && abs(reader.frameRate - 8) < 0.5)
    #expect(reader.height == 2 * 16 + 16)

    let files = try attune(sample + ["--count", "2", "--seed", "7", "--output", "clips"])
    #expect(files.status == 0, "\(files.output)")
    let metadata = try folder.text("clips/metadata.jsonl")
    #expect(metadata.contains("00000.mp4") && metadata.contains("00001.mp4"))
    #expect(metadata.contains("\"seed\":8"), "\(metadata)")
    #expect(try folder.bytes("clips/00000.mp4") != folder.bytes("clips/00001.mp4"))
  }

  @Test func mistakesAreNamed() throws {
    for (more, status, word) in [
      (["--output", "a.webm"], 2, ".mp4, .gif"),
      (["--output", "a.mp4", "--rate", "0"], 2, "--rate"),
      (["--output", "a.mp4", "--frames", "0"], 2, "frames"),
      (["--output", "a.mp4", "--width", "15"], 1, "multiple of 2"),
      (["--output", "a.mp4", "--magnify", "64", "--count", "10000"], 1, "lower --count"),
    ] as [([String], Int32, String)] {
      expectOneLine(try attune(sample + more), word, status: status)
    }
    expectOneLine(
      try attune(["image", "sample", "--model", "model", "--prompt", "x", "--output", "a.png"]),
      "TextToVideoSDPipeline", "StableDiffusionPipeline")
    try folder.write(
      try folder.text("model/model_index.json").replacing("TextToVideoSDPipeline", with: "Wan"),
      to: "model/model_index.json")
    expectOneLine(
      try attune(["noise", "optimize", "--model", "model", "--prompt", "x", "--reward", "png-size"]
      ),
      "Wan", "LatentConsistencyModelPipeline, TextToVideoSDPipeline")
  }

  @Test func motionModulesMakeClipsOfAnImageModel() throws {
    for part in ["unet", "scheduler", "model_index.json"] {
      try FileManager.default.removeItem(atPath: folder.file("model/\(part)"))
      try FileManager.default.copyItem(
        atPath: Repository.golden("TextToImage/pipeline/\(part)"),
        toPath: folder.file("model/\(part)"))
    }
    let adapter = Repository.golden("TextToVideo/motion_adapter")
    let drawn = try attune(sample + ["--motion-adapter", adapter, "--output", "a.mp4"])
    #expect(drawn.status == 0 && drawn.output.contains("of 3 frames"), "\(drawn.output)")
    expectOneLine(try attune(sample + ["--output", "b.mp4"]), "--motion-adapter")
    expectOneLine(
      try attune(
        sample + ["--motion-adapter", adapter, "--frames", "9", "--output", "b.mp4"]), "1 to 8")
    expectOneLine(
      try attune(sample + ["--motion-adapter", "model/vae", "--output", "b.mp4"]), "AutoencoderKL")
  }

  /// Random captions are told before anything is drawn, so that prompts can be chosen among them.
  @Test func captionsAreListed() throws {
    func list(_ more: String...) throws -> [Substring] {
      let run = try attune(
        [
          "video", "evaluate", "--model", "model", "--count", "40", "--list", "--sprites",
          Repository.golden("CaptionedMedia/sprites"),
        ] + more)
      #expect(run.status == 0, "\(run.output)")
      return run.standardOutput.split(separator: "\n")
    }
    let captions = try list()
    #expect(captions.count == 40)
    #expect(try list() == captions)
    let (rare, heldOut) = (try list("--rare"), try list("--held-out"))
    #expect(rare.count == 40 && rare != captions)
    #expect(heldOut.count == 40 && heldOut != captions)
    for flag in ["--rare", "--list", "--held-out"] {
      expectOneLine(
        try attune([
          "video", "evaluate", "--model", "model", "--sprites", "sprites", "--prompt", "x", flag,
        ]), flag, status: 2)
    }
  }

  /// FIND takes models of clips as it takes those of images.
  @Test func findLearnsThePriorOfClips() throws {
    let optimize = [
      "noise", "optimize", "--model", "model", "--prompt", "a knight", "--reward", "png-size",
      "find.imageCount=4", "sampling.stepCount=2", "sampling.frames=3", "gridCount=2",
    ]
    let whole = try attune(optimize + ["--iterations", "4", "--output", "whole"])
    #expect(whole.status == 0, "\(whole.output)")
    let part = try attune(optimize + ["--iterations", "2", "--output", "part"])
    #expect(part.status == 0, "\(part.output)")
    let resumed = try attune(["noise", "optimize", "--resume", "part", "--iterations", "4"])
    #expect(resumed.status == 0, "\(resumed.output)")
    #expect(try folder.text("part/metrics.jsonl") == folder.text("whole/metrics.jsonl"))
    let prior = try SafetensorsFile(path: folder.file("whole/prior.safetensors"))
    #expect(try prior.storedTensor(named: "mean").shape == [3, 8, 8, 4])

    // The prior brings the number of frames.
    let evaluated = try attune([
      "noise", "evaluate", "--model", "model", "--prior", "whole/prior.safetensors", "--reward",
      "png-size", "--count", "2", "--json",
    ])
    #expect(evaluated.status == 0, "\(evaluated.output)")
    #expect(evaluated.standardOutput.contains("\"bestOf\""))
    let drawn = try attune([
      "video", "sample", "--model", "model", "--prompt", "a knight", "--prior",
      "whole/prior.safetensors", "--output", "b.mp4",
    ])
    #expect(drawn.status == 0 && drawn.output.contains("of 3 frames"), "\(drawn.output)")
    expectOneLine(
      try attune([
        "video", "sample", "--model", "model", "--prompt", "a knight", "--prior",
        "whole/prior.safetensors", "--output", "b.mp4", "--frames", "4",
      ]), "[3, 8, 8, 4]")
    // Models of images have no frames.
    try folder.writeImageModel()
    expectOneLine(
      try attune([
        "noise", "optimize", "--model", "model", "--prompt", "a red square", "--reward",
        "png-size", "sampling.frames=3",
      ]), "3 frames")
  }
}

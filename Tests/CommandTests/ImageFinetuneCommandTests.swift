import Files
import Foundation
import Media
import NeuralNetworks
import TestSupport
import Testing
import TextToImage

/// `attune image finetune`, from a model folder to one that `attune image sample` draws with.
@Suite(.serialized) struct ImageFinetuneCommandTests {
  private let folder: TemporaryFolder
  private var url: URL { folder.url }
  private static let prompts = TemporaryFolder.imagePrompts
  /// A few iterations of a few images.
  private static let small = [
    "training.iterations=4", "training.imagesPerPrompt=4", "training.stepCount=3",
    "training.rewardMinimumCount=2", "evaluation.count=2", "evaluation.interval=2",
    "checkpointInterval=2",
  ]

  init() throws {
    folder = try TemporaryFolder()
    try folder.writeImageModel()
  }

  private func finetune(_ arguments: [String]) throws -> ProgramOutcome {
    try Attune.run(["image", "finetune"] + arguments, in: folder)
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: url.appending(path: name))
  }

  private func start(_ output: String) -> [String] {
    ["--model", "model"] + Self.prompts.flatMap { ["--prompt", $0] }
      + ["--reward", "command:'sh \(url.path)/score.sh'", "--output", output] + Self.small
  }

  @Test func fineTuningGoesOnMetricForMetric() throws {
    let whole = try finetune(start("whole"))
    #expect(whole.status == 0, "\(whole.output)")
    #expect(whole.output.contains("reward on fresh seeds"))
    let lines = try folder.text("whole/metrics.jsonl").split(separator: "\n")
    #expect(lines.count == 4)
    for key in [
      "images", "reward", "rewardStandardError", "klDivergence", "clipFraction", "gradientNorm",
      "evaluationReward",
    ] { #expect(lines[3].contains("\"\(key)\": "), "\(key)") }
    #expect(lines[3].contains("\"images\": 32"))
    for name in ["before", "after"] {
      let path = url.appending(path: "whole/images/\(name).png").path
      #expect(try Image(contentsOfFile: path).width > 100)
    }
    #expect(try bytes("whole/images/before.png") != bytes("whole/images/after.png"))

    let part = try finetune(start("part") + ["--threads", "1"])
    #expect(part.status == 0, "\(part.output)")
    // As if it had been killed before the last checkpoint.
    try FileManager.default.removeItem(
      at: url.appending(path: "part/checkpoints/iteration-000004.safetensors"))
    let resumed = try finetune(["--resume", "part"])
    #expect(resumed.status == 0, "\(resumed.output)")
    for file in [
      "metrics.jsonl", "pytorch_lora_weights.safetensors", "images/after.png",
      "model/unet/diffusion_pytorch_model.safetensors",
    ] { #expect(try bytes("part/\(file)") == bytes("whole/\(file)"), "\(file)") }

    let names = try SafetensorsFile(
      path: url.appending(path: "whole/pytorch_lora_weights.safetensors").path
    ).names
    #expect(names.contains { $0.hasPrefix("unet.mid_block.") && $0.hasSuffix(".lora_A.weight") })
    #expect(
      try bytes("whole/model/unet/diffusion_pytorch_model.safetensors")
        != bytes("model/unet/diffusion_pytorch_model.safetensors"))
    let sample = try Attune.run(
      [
        "image", "sample", "--model", "whole/model", "--prompt", "a red square", "--count", "2",
        "--steps", "3", "--output", "grid.png",
      ], in: folder)
    #expect(sample.status == 0, "\(sample.output)")
  }

  @Test func interruptedFineTuningGoesOn() throws {
    let long = ["training.iterations=400", "evaluation.interval=0", "training.loraRank=0"]
    let process = try Attune.start(["image", "finetune"] + start("run") + long, in: folder)
    try process.wait { (try? folder.text("run/metrics.jsonl"))?.contains("\n") == true }
    process.send(SIGINT)
    let interrupted = try process.finish()
    #expect(interrupted.status == 130)
    #expect(interrupted.output.contains("attune image finetune --resume run"))
    let done = try folder.text("run/metrics.jsonl").split(separator: "\n").count
    let resumed = try finetune(["--resume", "run", "training.iterations=\(done + 2)"])
    #expect(resumed.status == 0, "\(resumed.output)")
    #expect(try folder.text("run/metrics.jsonl").split(separator: "\n").count == done + 2)
    // All weights learn: there is nothing of low rank to write.
    #expect(
      !FileManager.default.fileExists(
        atPath: url.appending(path: "run/pytorch_lora_weights.safetensors").path))
  }

  @Test func mistakesAreNamed() throws {
    for (arguments, status, words) in [
      ([], 2, "--config"),
      (["--model", "model", "--reward", "incompressibility"], 1, "--prompt TEXT"),
      (["--model", "model", "--prompt", "a", "--reward", "brilliance"], 1, "png-size"),
      (["--model", "model", "--prompt", "a", "--reward", "clip"], 1, "--clip DIR"),
      (["--model", "nowhere", "--prompt", "a", "--reward", "png-size"], 1, "name a model folder"),
      (start("bad") + ["training.eta=2"], 1, "training.eta"),
      (start("bad") + ["training.etta=1"], 1, "did you mean"),
      (
        [
          "--model", "model", "--prompt", "a", "--output", "broken", "--reward",
          "command:'false'",
        ] + Self.small, 1, "false"
      ),
    ] as [([String], Int32, String)] {
      let result = try finetune(arguments)
      #expect(result.status == status, "\(arguments): \(result.output)")
      #expect(result.output.contains(words), "\(arguments): \(result.output)")
    }
    // The run that failed is whole, as far as it came.
    #expect(try folder.text("broken/config.yaml").contains("command:'false'"))
  }
}

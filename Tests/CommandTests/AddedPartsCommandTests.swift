import Files
import Foundation
import Tensors
import TestSupport
import Testing
import TextToImage

/// `--lora` and `--decoder`: what is put into a model beside its folder.
@Suite(.serialized) struct AddedPartsCommandTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.writeImageModel()
    try write("a.safetensors", seed: 1)
  }

  /// Changes of one attention of the tiny model, rank 2.
  private func write(_ name: String, seed: UInt64, layer: String? = nil) throws {
    var random = RandomStream(seed: seed)
    let layer =
      layer ?? "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    try SafetensorsFile.write(
      [
        "\(layer).lora_A.weight": StoredTensor(random.normal([2, 16])),
        "\(layer).lora_B.weight": StoredTensor(random.normal([16, 2])),
      ], to: folder.file(name))
  }

  private func attune(_ arguments: [String]) throws -> ProgramOutcome {
    try Attune.run(arguments, in: folder)
  }

  private func sample(_ output: String, _ arguments: String...) throws -> ProgramOutcome {
    try attune(
      [
        "image", "sample", "--model", "model", "--prompt", "a red square", "--steps", "2",
        "--count", "1", "--output", output,
      ] + arguments)
  }

  @Test func lowRankChangesReachImages() throws {
    #expect(try sample("plain.png").status == 0)
    let changed = try sample("changed.png", "--lora", "a.safetensors:0.5")
    #expect(changed.status == 0, "\(changed.output)")
    #expect(changed.output.contains("a.safetensors: merged into 1 layer, scale 0.5"))
    #expect(try folder.bytes("changed.png") != folder.bytes("plain.png"))
    // Twice, there and back.
    let back = try sample(
      "back.png", "--lora", "a.safetensors:0.5", "--lora", "a.safetensors:-0.5")
    #expect(back.status == 0 && back.output.contains("scale -0.5"), "\(back.output)")
    try write("other.safetensors", seed: 1, layer: "unet.nowhere")
    expectOneLine(
      try sample("x.png", "--lora", "other.safetensors"), "other.safetensors", "unet.nowhere",
      "no layer of the model")
    expectOneLine(try sample("x.png", "--lora", "nothing.safetensors"), "nothing.safetensors")
    #expect(!folder.holds("x.png"))
  }

  /// What a fine-tuning writes changes the model that it started from as it says.
  @Test func fineTuningsStartFromLowRankChangesAndWriteThem() throws {
    func start(_ run: String, _ arguments: String...) -> [String] {
      [
        "image", "finetune", "--model", "model", "--prompt", "a red square", "--reward",
        "incompressibility", "--output", run, "training.iterations=1",
        "training.imagesPerPrompt=2", "training.stepCount=2", "training.rewardMinimumCount=2",
        "training.loraRank=2", "evaluation.count=1",
      ] + arguments
    }
    let tuned = try attune(start("run", "--lora", "a.safetensors"))
    #expect(tuned.status == 0, "\(tuned.output)")
    #expect(try folder.text("run/config.yaml").contains("a.safetensors"))
    let again = try sample("again.png", "--lora", "a.safetensors", "--lora", "run")
    #expect(again.status == 0, "\(again.output)")
    #expect(again.output.contains("run/pytorch_lora_weights.safetensors: merged into"))
    // A resumed run needs the same changes, wherever they lie.
    try FileManager.default.moveItem(
      atPath: folder.file("a.safetensors"), toPath: folder.file("moved.safetensors"))
    try write("a.safetensors", seed: 2)
    let resume = ["image", "finetune", "--resume", "run", "--quiet", "training.iterations=2"]
    expectOneLine(try attune(resume), "'loras' is not what run was started with")
    let resumed = try attune(resume + ["loras=[moved.safetensors]"])
    #expect(resumed.status == 0, "\(resumed.output)")
  }

  @Test func newModelsHaveNoWeightsToChange() throws {
    try folder.writeImageTraining()
    expectOneLine(
      try attune(["image", "train", "--config", "train.yaml", "--lora", "a.safetensors"]),
      "'model.loras': found a.safetensors", "model.folder")
  }

  /// The model of the goldens of `TextToImage`, which has an autoencoder, and a tiny decoder.
  private func writeLatentModel() throws {
    let path = folder.file("latent")
    try FileManager.default.copyItem(
      atPath: Repository.golden("TextToImage/pipeline"), toPath: path)
    try FileManager.default.copyItem(
      atPath: Repository.golden("TextToImage/tokenizer"), toPath: "\(path)/tokenizer")
    var configuration = AutoencoderTinyConfiguration()
    (configuration.encoderChannels, configuration.decoderChannels) = (8, 8)
    (configuration.encoderBlocks, configuration.decoderBlocks) = ([1, 1], [1, 1])
    var random = RandomStream(seed: 3)
    let tiny = AutoencoderTiny(configuration, random: &random)
    try FileManager.default.createDirectory(
      atPath: folder.file("tiny"), withIntermediateDirectories: true)
    try configuration.json.write(to: folder.file("tiny/config.json"))
    var tensors: [String: StoredTensor] = [:]
    for (name, parameter) in tiny.parameters { tensors[name] = StoredTensor(parameter.value) }
    try SafetensorsFile.write(
      tensors, to: folder.file("tiny/diffusion_pytorch_model.safetensors"))
  }

  @Test func decodersDraw() throws {
    try writeLatentModel()
    func sample(_ output: String, _ arguments: String...) throws -> ProgramOutcome {
      try attune(
        [
          "image", "sample", "--model", "latent", "--prompt", "a cat", "--steps", "2", "--count",
          "1", "--output", output,
        ] + arguments)
    }
    #expect(try sample("own.png").status == 0)
    let tiny = try sample("tiny.png", "--decoder", "tiny", "--vae-tiling")
    #expect(tiny.status == 0 && tiny.output.contains("not tiled"), "\(tiny.output)")
    #expect(try folder.bytes("tiny.png") != folder.bytes("own.png"))
    #expect(try sample("same.png", "--decoder", "latent/vae").status == 0)
    #expect(try folder.bytes("same.png") == folder.bytes("own.png"))
    expectOneLine(try sample("x.png", "--decoder", "latent"), "latent/config.json")
    expectOneLine(try self.sample("x.png", "--decoder", "tiny"), "works on pixels")
  }

  /// FIND scores what the decoder draws; grids are the model's own.
  @Test func noiseIsLearnedWithADecoder() throws {
    try writeLatentModel()
    func optimize(_ run: String, _ arguments: String...) throws -> ProgramOutcome {
      try attune(
        [
          "noise", "optimize", "--model", "latent", "--prompt", "a cat", "--reward",
          "incompressibility", "--output", run, "--iterations", "2", "sampling.stepCount=2",
          "find.imageCount=4", "gridCount=2", "checkpointInterval=1",
        ] + arguments)
    }
    let own = try optimize("own")
    #expect(own.status == 0, "\(own.output)")
    let tiny = try optimize("tiny-run", "--decoder", "tiny")
    #expect(tiny.status == 0, "\(tiny.output)")
    #expect(
      try folder.bytes("own/images/before.png") == folder.bytes("tiny-run/images/before.png"))
    #expect(try folder.text("own/metrics.jsonl") != folder.text("tiny-run/metrics.jsonl"))
    // The prior is the model's, whoever decodes.
    let drawn = try attune([
      "image", "sample", "--model", "latent", "--prompt", "a cat", "--count", "1", "--prior",
      "tiny-run/prior.safetensors", "--output", "prior.png",
    ])
    #expect(drawn.status == 0, "\(drawn.output)")
    let resume = ["noise", "optimize", "--resume", "tiny-run", "--quiet", "--iterations", "3"]
    expectOneLine(try attune(resume + ["decoder=latent/vae"]), "'decoder'")
    #expect(try attune(resume).status == 0)
  }
}

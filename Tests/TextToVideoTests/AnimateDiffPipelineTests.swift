import Files
import Foundation
import GenerativeModels
import Tensors
import TestSupport
import TextToImage
import Testing

@testable import TextToVideo

/// Clips against diffusers' `AnimateDiffPipeline`, and its folders.
@Suite struct AnimateDiffPipelineTests {
  private let goldens: GoldenTensors
  private let temporary: TemporaryFolder
  private let adapter = Repository.golden("TextToVideo/motion_adapter")

  init() throws {
    goldens = try GoldenTensors("TextToVideo/animatediff.safetensors")
    temporary = try TemporaryFolder()
    try temporary.writeVideoModel("images")
    // The text-to-image model whose parts the clips' model has.
    let manager = FileManager.default
    for part in ["unet", "scheduler", "model_index.json"] {
      try manager.removeItem(atPath: temporary.file("images/\(part)"))
      try manager.copyItem(
        atPath: Repository.golden("TextToImage/pipeline/\(part)"),
        toPath: temporary.file("images/\(part)"))
    }
  }

  private func model() throws -> AnimateDiffModel {
    try AnimateDiffModel(
      images: TextToImageModel(folder: temporary.file("images")), adapterFolder: adapter)
  }

  private func clips(_ model: AnimateDiffModel, _ name: String) throws -> Tensor {
    var settings = GenerationSettings()
    (settings.stepCount, settings.frames) = (4, 4)
    if name == "no guidance" { settings.guidance.scale = 1 }
    if name == "eta 1" { settings.eta = 1 }
    return try AnimateDiffPipeline(model).clips(
      prompts: TinyVideoModel.prompts, negativePrompts: TinyVideoModel.negativePrompts,
      seeds: TinyVideoModel.seeds, settings: settings)
  }

  @Test func clipsAreThoseOfDiffusers() throws {
    let model = try model()
    #expect(goldens.names.sorted() == ["ddim", "eta 1", "no guidance"])
    var maximum: Float = 0
    for name in goldens.names {
      let difference = maxDifference(try clips(model, name), try goldens[name])
      #expect(difference <= 2 / 255, "\(name): \(difference)")
      maximum = max(maximum, difference)
    }
    print("greatest difference of AnimateDiff's clips: \(maximum * 255) / 255")
  }

  @Test func foldersAreReadAsTheyWereWritten() throws {
    let model = try model()
    let copy = temporary.file("copy")
    try model.write(folder: copy, maxShardByteCount: 50_000)
    let read = try AnimateDiffModel(folder: copy)
    #expect(read.fingerprint == model.fingerprint)
    #expect(try maxDifference(clips(read, "ddim"), clips(model, "ddim")) == 0)
    // The adapter in it is the one that went in.
    let again = try UNetMotionModel(
      images: TextToImageModel(folder: temporary.file("images")).unet,
      adapterFolder: "\(copy)/motion_adapter")
    for (name, parameter) in again.parameters {
      #expect(parameter.value.elements == model.unet.parameters[name]?.value.elements, "\(name)")
    }
  }

  @Test func framesAreAsManyAsPositions() throws {
    let pipeline = AnimateDiffPipeline(try model())
    var settings = GenerationSettings()
    #expect(try pipeline.sampleShape(settings) == [8, 8, 8, 4])
    settings.frames = 9
    #expect(throws: GenerationError.frames(9, range: 1...8)) {
      try pipeline.sampleShape(settings)
    }
  }

  @Test func diffusersLoadsWhatIsWritten() throws {
    let test = "diffusers loads the models of AnimateDiff that Attune writes"
    guard
      let python = Python(with: ["torch", "diffusers", "transformers", "safetensors"], for: test)
    else { return }
    let model = try model()
    try model.write(folder: temporary.file("written"))
    let program = """
      import sys, torch
      from diffusers import AnimateDiffPipeline
      from safetensors.torch import save_file
      folder, result, *texts = sys.argv[1:]
      pipeline = AnimateDiffPipeline.from_pretrained(folder, torch_dtype=torch.float32)
      pipeline.set_progress_bar_config(disable=True)
      pipeline.text_encoder.__dict__.setdefault("text_model", pipeline.text_encoder)
      generators = [torch.Generator().manual_seed(seed) for seed in (3, 2024)]
      frames = pipeline(
        texts[:2], negative_prompt=texts[2:], generator=generators, num_frames=4, height=16, width=16,
        num_inference_steps=4, guidance_scale=7.5, output_type="pt").frames
      save_file({"frames": frames.permute(0, 1, 3, 4, 2).contiguous()}, result)
      """
    _ = try python.run(
      program,
      [temporary.file("written"), temporary.file("frames.safetensors")] + TinyVideoModel.prompts
        + TinyVideoModel.negativePrompts)
    let expected = try SafetensorsFile(path: temporary.file("frames.safetensors"))
      .tensor(named: "frames")
    let difference = maxDifference(try clips(model, "ddim"), expected)
    #expect(difference <= 2 / 255, "\(difference)")
    print("\(test): greatest difference \(difference * 255) / 255")
  }
}

import Files
import Foundation
import GenerativeModels
import Tensors
import TestSupport
import Testing
import TextToImage

@testable import TextToVideo

/// Folders of text-to-video models: written and read again, loaded by diffusers, mistaken.
@Suite struct VideoModelFolderTests {
  private func clips(_ model: TextToVideoModel) throws -> Tensor {
    try TextToVideoPipeline(model).clips(
      prompts: TinyVideoModel.prompts, negativePrompts: TinyVideoModel.negativePrompts,
      seeds: TinyVideoModel.seeds, settings: TinyVideoModel.settings)
  }

  @Test func foldersAreReadAsTheyWereWritten() throws {
    let tiny = try TinyVideoModel()
    let model = try tiny.load()
    let copy = tiny.sibling("copy")
    defer { withExtendedLifetime(tiny) {} }
    for limit in [Int.max, 50_000] {
      try model.write(folder: copy, maxShardByteCount: limit)
      let read = try TextToVideoModel(folder: copy)
      #expect(read.fingerprint == model.fingerprint)
      #expect(try maxDifference(clips(read), clips(model)) == 0)
    }
    // Weights that came as float16 lose nothing as float16.
    try model.write(folder: copy, elementType: .float16)
    #expect(try TextToVideoModel(folder: copy).fingerprint == model.fingerprint)
  }

  /// The files say what diffusers wrote, with its layouts of weights.
  @Test func filesAreDiffusers() throws {
    let tiny = try TinyVideoModel()
    let written = tiny.sibling("written")
    defer { withExtendedLifetime(tiny) {} }
    try tiny.load().write(folder: written, elementType: .float16)
    for name in ["model_index.json", "unet/config.json"] {
      func members(_ folder: String) throws -> [String: JSONValue] {
        guard case .object(var members) = try JSONValue(path: "\(folder)/\(name)") else {
          return [:]
        }
        members["_diffusers_version"] = nil
        return members
      }
      #expect(try members(written) == members(tiny.folder), "\(name)")
    }
    let weights = "unet/diffusion_pytorch_model.safetensors"
    let (mine, theirs) = (
      try SafetensorsFile(path: "\(written)/\(weights)"),
      try SafetensorsFile(path: tiny.file(weights))
    )
    #expect(Set(mine.names) == Set(theirs.names))
    for name in theirs.names {
      let (found, expected) = (
        try mine.storedTensor(named: name), try theirs.storedTensor(named: name)
      )
      #expect(found.shape == expected.shape, "\(name)")
      #expect(Tensor(found).elements == Tensor(expected).elements, "\(name)")
    }
  }

  @Test func diffusersLoadsWhatIsWritten() throws {
    let test = "diffusers loads the clips' models that Attune writes"
    guard
      let python = Python(with: ["torch", "diffusers", "transformers", "safetensors"], for: test)
    else { return }
    let tiny = try TinyVideoModel()
    let model = try tiny.load()
    // Other weights than diffusers wrote.
    for (_, parameter) in model.unet.parameters { parameter.value = parameter.value * 0.9 }
    let program = """
      import sys, torch
      from diffusers import TextToVideoSDPipeline
      from safetensors.torch import save_file
      folder, result, *texts = sys.argv[1:]
      pipeline = TextToVideoSDPipeline.from_pretrained(folder, torch_dtype=torch.float32)
      pipeline.set_progress_bar_config(disable=True)
      pipeline.text_encoder.__dict__.setdefault("text_model", pipeline.text_encoder)
      generators = [torch.Generator().manual_seed(seed) for seed in (3, 2024)]
      frames = pipeline(
        texts[:2], negative_prompt=texts[2:], generator=generators, num_frames=3,
        num_inference_steps=4, guidance_scale=9.0, output_type="pt").frames
      save_file({"frames": frames.permute(0, 1, 3, 4, 2).contiguous()}, result)
      """
    let (written, result) = (tiny.sibling("written"), tiny.sibling("frames.safetensors"))
    defer { withExtendedLifetime(tiny) {} }
    for (elementType, limit) in [(ElementType.float32, Int.max), (.float16, 50_000)] {
      try model.write(folder: written, elementType: elementType, maxShardByteCount: limit)
      _ = try python.run(
        program, [written, result] + TinyVideoModel.prompts + TinyVideoModel.negativePrompts)
      let expected = try SafetensorsFile(path: result).tensor(named: "frames")
      let difference = maxDifference(try clips(TextToVideoModel(folder: written)), expected)
      #expect(difference <= 2 / 255, "\(elementType): \(difference)")
      print("\(test), \(elementType): greatest difference \(difference * 255) / 255")
    }
  }

  @Test func modelsOfAnotherKindAreRefusedByName() throws {
    let tiny = try TinyVideoModel()
    defer { withExtendedLifetime(tiny) {} }
    let image = #expect(throws: FileError.self) { try TextToImageModel(folder: tiny.folder) }
    let text = image?.description ?? ""
    #expect(text.contains("TextToVideoSDPipeline") && text.contains("StableDiffusionPipeline"))
    guard case .object(var members) = try JSONValue(path: tiny.file("model_index.json")) else {
      return #expect(Bool(false), "no index")
    }
    members["_class_name"] = "StableDiffusionPipeline"
    try JSONValue.object(members).write(to: tiny.file("model_index.json"))
    let video = #expect(throws: FileError.self) { try TextToVideoModel(folder: tiny.folder) }
    #expect(video?.description.contains("a text-to-video model") == true)
  }
}

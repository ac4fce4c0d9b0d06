import Diffusion
import Files
import Foundation
import GenerativeModels
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import TextToImage

/// Model folders: written and read again, loaded by diffusers, damaged.
@Suite struct ModelFolderTests {
  private func images(_ model: TextToImageModel) throws -> Tensor {
    try TextToImagePipeline(model).images(
      prompts: TinyModel.prompts, negativePrompts: TinyModel.negativePrompts,
      seeds: TinyModel.seeds, settings: TinyModel.settings)
  }

  @Test func foldersAreReadAsTheyWereWritten() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let expected = try images(model)
    let copy = tiny.sibling("copy")
    defer { withExtendedLifetime(tiny) {} }
    // Twice, since the second replaces the first: single files, then shards.
    for limit in [Int.max, 50_000] {
      try model.write(folder: copy, maxShardByteCount: limit)
      let read = try TextToImageModel(folder: copy)
      #expect(try maxDifference(images(read), expected) == 0)
      #expect(read.fingerprint == model.fingerprint)
      let index = "\(copy)/unet/diffusion_pytorch_model.safetensors.index.json"
      #expect(FileManager.default.fileExists(atPath: index) == (limit == 50_000))
    }
    // Weights that came as float16 lose nothing as float16.
    try model.write(folder: copy, elementType: .float16)
    #expect(try TextToImageModel(folder: copy).fingerprint == model.fingerprint)
    let names = try FileManager.default.contentsOfDirectory(
      atPath: URL(filePath: copy).deletingLastPathComponent().path)
    #expect(names.sorted() == ["copy", "model"])

    let pixels = try TinyModel.inPixelSpace(model)
    try pixels.write(folder: copy)
    let read = try TextToImageModel(folder: copy)
    #expect(read.autoencoder == nil)
    #expect(try maxDifference(images(read), images(pixels)) == 0)
    #expect(!FileManager.default.fileExists(atPath: "\(copy)/vae"))
  }

  @Test func fingerprintsTellModelsApart() throws {
    let model = try TinyModel().load()
    let original = model.fingerprint
    #expect(original.count == 16 && original == model.fingerprint)
    for part in ["text_encoder.", "unet.", "vae."] {
      let entries = model.parameters.filter { $0.name.hasPrefix(part) }
      let parameter = try #require(entries.last?.parameter)
      let value = parameter.value
      parameter.value = value + 1e-6
      #expect(model.fingerprint != original, "\(part)")
      parameter.value = value
    }
    #expect(model.fingerprint == original)
    let other = try TextToImageModel(
      tokenizer: CLIPTokenizer(vocabulary: model.tokenizer.vocabulary, padding: "!"),
      textEncoder: model.textEncoder, unet: model.unet, autoencoder: model.autoencoder,
      scheduler: model.scheduler)
    #expect(other.fingerprint != original)
  }

  @Test func diffusersLoadsWhatIsWritten() throws {
    let test = "diffusers loads what Attune writes"
    guard
      let python = Python(with: ["torch", "diffusers", "transformers", "safetensors"], for: test)
    else { return }
    let tiny = try TinyModel()
    let model = try tiny.load()
    // Other weights than diffusers wrote.
    for (_, parameter) in model.unet.parameters { parameter.value = parameter.value * 0.9 }
    let program = """
      import os, sys, torch
      from diffusers import StableDiffusionPipeline
      from safetensors.torch import save_file
      folder, result, *texts = sys.argv[1:]
      pixels = not os.path.exists(folder + "/vae")
      options = {"vae": None} if pixels else {}
      pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32, **options)
      pipeline.set_progress_bar_config(disable=True)
      if pixels:  # A Stable Diffusion pipeline does not clamp, unless it gets its scheduler afterwards.
        kind = type(pipeline.scheduler)
        pipeline.scheduler = kind.from_pretrained(folder, subfolder="scheduler")
      generators = [torch.Generator().manual_seed(seed) for seed in (3, 2024)]
      size = 8 * pipeline.vae_scale_factor
      images = pipeline(
        texts[:2], negative_prompt=texts[2:], generator=generators, height=size, width=size,
        num_inference_steps=4, guidance_scale=5.0, output_type="latent" if pixels else "pt").images
      if pixels:
        images = (torch.nn.functional.pixel_shuffle(images, 2) / 2 + 0.5).clamp(0, 1)
      save_file({"images": images.permute(0, 2, 3, 1).contiguous()}, result)
      """
    let written = tiny.sibling("written")
    let result = tiny.sibling("images.safetensors")
    let cases: [(TextToImageModel, ElementType, Int)] = [
      (model, .float32, .max), (model, .float16, 50_000),
      (try TinyModel.inPixelSpace(model), .float32, .max),
    ]
    defer { withExtendedLifetime(tiny) {} }
    for (index, (model, elementType, limit)) in cases.enumerated() {
      try model.write(folder: written, elementType: elementType, maxShardByteCount: limit)
      _ = try python.run(
        program, [written, result] + TinyModel.prompts + TinyModel.negativePrompts)
      let expected = try SafetensorsFile(path: result).tensor(named: "images")
      let read = try TextToImageModel(folder: written)
      let difference = maxDifference(try images(read), expected)
      #expect(difference <= 2 / 255, "case \(index): \(difference)")
      print("\(test), case \(index): greatest difference \(difference * 255) / 255")
    }
  }

  /// Names, shapes and files that older versions of diffusers and transformers wrote.
  @Test func olderFilesAreRead() throws {
    let tiny = try TinyModel()
    defer { withExtendedLifetime(tiny) {} }
    let original = try tiny.load().fingerprint

    let vae = try #require(try tiny.load().autoencoder).parameters
    var tensors: [String: StoredTensor] = [:]
    let old = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")]
    for (name, parameter) in vae {
      let isAttention = name.contains(".attentions.")
      let oldName = old.reduce(name) { isAttention ? $0.replacing($1.0, with: $1.1) : $0 }
      let shape = parameter.value.shape
      let isMatrix = isAttention && shape.count == 2
      tensors[oldName] = StoredTensor(
        isMatrix ? parameter.value.reshaped(to: shape + [1, 1]) : parameter.value)
    }
    #expect(tensors.keys.filter { $0.contains("proj_attn") }.count == 4)
    let shards = try FileManager.default.contentsOfDirectory(atPath: tiny.file("vae"))
    for file in shards where file.contains("safetensors") {
      try FileManager.default.removeItem(atPath: tiny.file("vae/\(file)"))
    }
    try SafetensorsFile.write(
      tensors, to: tiny.file("vae/diffusion_pytorch_model.fp16.safetensors"))

    tensors = [:]
    for (name, parameter) in try tiny.load().textEncoder.parameters {
      tensors[name] = StoredTensor(parameter.value)
    }
    #expect(tensors.keys.contains("text_model.final_layer_norm.weight"))
    tensors["text_model.embeddings.position_ids"] = StoredTensor(
      shape: [1, 77], integers: Array(0..<77))
    try SafetensorsFile.write(tensors, to: tiny.file("text_encoder/model.safetensors"))
    #expect(try tiny.load().fingerprint == original)
  }

  /// The names that hubs give to weights of less precision, and to their indices.
  @Test func variantsAreRead() throws {
    let tiny = try TinyModel()
    defer { withExtendedLifetime(tiny) {} }
    let model = try tiny.load()
    let base = "diffusion_pytorch_model"
    for shards in [false, true] {
      try model.write(folder: tiny.folder, maxShardByteCount: shards ? 50_000 : .max)
      var current = shards ? "\(base).safetensors.index.json" : "\(base).safetensors"
      let names =
        shards
        ? ["\(base).safetensors.index.fp16.json", "\(base).bf16.safetensors.index.json"]
        : ["\(base).fp16.safetensors", "\(base).bf16.safetensors"]
      for name in names {
        try FileManager.default.moveItem(
          atPath: tiny.file("unet/\(current)"), toPath: tiny.file("unet/\(name)"))
        current = name
        #expect(try tiny.load().fingerprint == model.fingerprint, "\(name)")
        #expect(
          TextToImageModel.weightNotes(folder: tiny.folder)
            == ["reading \(tiny.folder)/unet/\(name)"])
      }
    }
  }

  @Test func fullPrecisionIsPreferredAndNamed() throws {
    let temporary = try TemporaryFolder()
    let folder = temporary.path
    func files(_ name: String = "model") -> WeightFiles { WeightFiles(folder: folder, name: name) }
    #expect(files().note == nil)
    // Each is better than those before.
    let names = [
      "pytorch_model.bin.index.bf16.json", "pytorch_model.fp16.bin",
      "pytorch_model.fp16.bin.index.json", "pytorch_model.bin.index.fp16.json",
      "model.fp16.safetensors", "model.fp16.safetensors.index.json",
      "model.safetensors.index.fp16.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
      "model.safetensors", "model.safetensors.index.json",
    ]
    for count in 1...names.count {
      try temporary.write("", to: names[count - 1])
      #expect(files().names == names[..<count].reversed())
    }
    #expect(files().note?.hasPrefix("reading \(folder)/model.safetensors.index.json, not ") == true)
    #expect(files("diffusion_pytorch_model").names.isEmpty)
    let error = #expect(throws: FileError.self) { _ = try files("diffusion_pytorch_model").open() }
    #expect(error?.problem.contains("the folder has model.fp16.safetensors") == true)
    for name in names.dropFirst() {
      try FileManager.default.removeItem(atPath: folder + "/" + name)
    }
    #expect(files().note == "reading \(folder)/\(names[0])")
  }

  /// What is done to a folder, and the texts that the error must have.
  fileprivate struct Damage {
    let path: String
    let texts: [String]
    let apply: (String) throws -> Void
  }

  private func remove(_ path: String, _ texts: String...) -> Damage {
    Damage(path: path, texts: texts) { try FileManager.default.removeItem(atPath: $0) }
  }

  private func edit(
    _ path: String, _ key: String, _ value: JSONValue, _ texts: String...
  ) -> Damage {
    Damage(path: path, texts: [key] + texts) { path in
      var members = try #require(try JSONValue(path: path).members)
      members[key] = value
      try JSONValue.object(members).write(to: path)
    }
  }

  private func cut(_ path: String, _ texts: String...) -> Damage {
    Damage(path: path, texts: texts) { path in
      let data = try Data(contentsOf: URL(filePath: path))
      try data.prefix(data.count * 2 / 3).write(to: URL(filePath: path))
    }
  }

  @Test func damageIsNamed() throws {
    let shard = "diffusion_pytorch_model-00001-of-00002.safetensors"
    let damages = [
      remove("model_index.json", "model_index.json"),
      remove("unet/config.json", "unet/config.json"),
      remove("unet/\(shard)", shard),
      remove("text_encoder/model.safetensors", "text_encoder/model.safetensors"),
      remove("scheduler/scheduler_config.json", "scheduler_config.json"),
      remove("vae", "vae/config.json"), remove("tokenizer", "tokenizer/vocab.json"),
      cut("unet/\(shard)", shard), cut("text_encoder/model.safetensors", "model.safetensors"),
      cut("unet/config.json", "unet/config.json"), cut("tokenizer/vocab.json", "vocab.json"),
      edit("model_index.json", "_class_name", "StableDiffusionXLPipeline", "model_index.json"),
      edit("model_index.json", "unet", nil, "model_index.json"),
      edit("model_index.json", "vae", ["diffusers", "VQModel"], "VQModel"),
      edit("model_index.json", "vae", [nil, nil], "in_channels").replacing("unet/config.json"),
      edit("unet/config.json", "cross_attention_dim", 24, "text encoder"),
      edit("unet/config.json", "block_out_channels", [8, 24], "shape").replacing("[16, 8, 3, 3]"),
      edit("unet/config.json", "layers_per_block", 2, "not in the file").replacing("down_blocks.0"),
      edit("unet/config.json", "in_channels", 3, "out_channels"),
      edit("unet/config.json", "num_class_embeds", 3, "class_embed_type").replacing("unet/config"),
      edit("vae/config.json", "latent_channels", 5, "in_channels").replacing("unet/config.json"),
      edit("vae/config.json", "mid_block_add_attention", false, "lacks").replacing("attentions"),
      edit("text_encoder/config.json", "vocab_size", 100, "1199"),
      edit("text_encoder/config.json", "architectures", ["CLIPModel"], "CLIPTextModel"),
      edit("text_encoder/config.json", "max_position_embeddings", 60, "model_max_length").replacing(
        "tokenizer_config.json"),
      edit("scheduler/scheduler_config.json", "beta_schedule", "sigmoid", "scheduler_config.json"),
      edit("scheduler/scheduler_config.json", "prediction_type", "flow", "scheduler_config.json"),
    ]
    for damage in damages {
      let tiny = try TinyModel()
      try damage.apply(tiny.file(damage.path))
      let error = #expect(throws: FileError.self, "\(damage.path) \(damage.texts)") {
        try tiny.load()
      }
      let text = error?.description ?? ""
      for part in damage.texts { #expect(text.contains(part), "'\(part)' is not in: \(text)") }
      #expect(text.count < 500 && !text.contains("\n"), "\(text)")
    }
  }

  @Test func samplersAreRefusedByName() throws {
    let base: [String: JSONValue] = ["_class_name": "DDIMScheduler"]
    let bad: [(String, JSONValue, SamplerKind?)] = [
      ("thresholding", true, .euler), ("timestep_spacing", "even", .ddim),
      ("variance_type", "learned_range", .ddpm), ("interpolation_type", "log_linear", .euler),
      ("final_sigmas_type", "sigma_max", .euler), ("solver_order", 4, .dpmSolver),
      ("solver_order", 3, .dpmSolverSDE), ("algorithm_type", "dpmsolver", .dpmSolver),
      ("algorithm_type", "sde-dpmsolver", .dpmSolverSDE), ("solver_type", "ralston", .dpmSolver),
      ("lambda_min_clipped", 4, .dpmSolver), ("use_flow_sigmas", true, .dpmSolver),
      ("use_flow_sigmas", true, .unipc), ("solver_p", ["diffusers", "X"], .unipc),
      ("lower_order_final", false, .unipc), ("predict_x0", false, .unipc),
      ("prediction_type", "sample", .pndm), ("rescale_betas_zero_snr", true, .pndm),
      ("original_inference_steps", 9, .lcm), ("timestep_scaling", 0, .lcm),
      ("dynamic_thresholding_ratio", 2, .ddim), ("sample_max_value", 0.5, .ddim),
      ("sigma_min", -1, .heun), ("sigma_min", 20, .heun),
      ("use_exponential_sigmas", true, .heun),
      ("rescale_betas_zero_snr", true, .ddim), ("steps_offset", 999, .ddim),
    ]
    for (key, value, kind) in bad {
      var members = base
      // What makes the sampler look at the key.
      if kind == .heun {
        members.merge(["use_karras_sigmas": true, "sigma_max": 10]) { old, _ in old }
      }
      if kind == .ddim && key != "thresholding" { members["thresholding"] = true }
      members[key] = value
      let configuration = try SchedulerConfiguration(json: .object(members), path: "s.json")
      let error = #expect(throws: FileError.self, "\(key)") {
        try configuration.sampler(kind, stepCount: 10, isForLatents: false)
      }
      let description = error?.description ?? ""
      #expect(description.contains("s.json") && description.contains(key), "\(description)")
    }
    // With Runge-Kutta at the start, unless the file says otherwise.
    let pndm = try SchedulerConfiguration(json: ["_class_name": "PNDMScheduler"], path: "s.json")
    let error = #expect(throws: FileError.self) {
      try pndm.sampler(stepCount: 3, isForLatents: true)
    }
    #expect(error?.description.contains("skip_prk_steps") == true)
    #expect(try pndm.sampler(stepCount: 4, isForLatents: true).timeSteps.count == 13)
    #expect(throws: FileError.self) {
      try SchedulerConfiguration(
        json: ["_class_name": "DDIMScheduler", "new_key": 1], path: "s.json")
    }
    // A null asks for nothing.
    _ = try SchedulerConfiguration(
      json: ["_class_name": "DDIMScheduler", "new_key": nil], path: "s.json")
    // LCM's own defaults are those of Stable Diffusion.
    let lcm = try SchedulerConfiguration(json: ["_class_name": "LCMScheduler"], path: "s.json")
    #expect(lcm.schedule == .scaledLinear() && lcm.kind == .lcm)
    // Where noise is drawn, the file says so.
    let noisy: JSONValue = [
      "_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "sde-dpmsolver++",
    ]
    #expect(try SchedulerConfiguration(json: noisy, path: "s.json").kind == .dpmSolverSDE)
    for kind in [SamplerKind.dpmSolver, .dpmSolverSDE] {
      let sampler =
        try SchedulerConfiguration(json: noisy, path: "s.json")
        .sampler(kind, stepCount: 10, isForLatents: true) as? DPMSolverSampler
      #expect(sampler?.isStochastic == (kind == .dpmSolverSDE))
    }
  }

  /// What diffusers writes for schedulers that Attune lacks, beyond the keys that all have.
  private static let foreignSchedulers: [(name: String, keys: [String: JSONValue])] = [
    ("TCDScheduler", ["original_inference_steps": 50, "timestep_scaling": 10]),
    (
      "SASolverScheduler",
      [
        "predictor_order": 2, "corrector_order": 2, "predict_x0": true, "tau_func": nil,
        "variance_type": nil,
      ]
    ),
    (
      "EDMEulerScheduler",
      [
        "sigma_min": 0.002, "sigma_max": 80, "sigma_data": 0.5, "sigma_schedule": "karras",
        "rho": 7,
      ]
    ),
    (
      "DEISMultistepScheduler", ["algorithm_type": "deis", "solver_type": "logrho"]
    ),
    ("NextYearsScheduler", ["nobody_knows": [1, 2]]),
  ]

  private static let sharedKeys: [String: JSONValue] = [
    "num_train_timesteps": 1_000, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
    "beta_end": 0.012, "prediction_type": "v_prediction", "timestep_spacing": "trailing",
    "steps_offset": 1,
  ]

  /// With a sampler chosen, a file of one that Attune lacks says how the model was trained, and
  /// nothing else: images are those of a file with the shared keys alone.
  @Test func schedulersThatAttuneLacksGiveWayToAnother() throws {
    let tiny = try TinyModel()
    let parts = try tiny.load()
    func image(_ members: [String: JSONValue], _ kind: SamplerKind?) throws -> [Float] {
      let model = try TextToImageModel(
        tokenizer: parts.tokenizer, textEncoder: parts.textEncoder, unet: parts.unet,
        autoencoder: parts.autoencoder,
        scheduler: SchedulerConfiguration(json: .object(members), path: "s.json"))
      var settings = TinyModel.settings
      settings.sampler = kind
      settings.stepCount = 4
      return try TextToImagePipeline(model).images(
        prompts: ["a cat"], seeds: [1], settings: settings
      ).elements
    }
    let kinds = SamplerKind.allCases.filter { $0 != .flowMatchingEuler }
    var expected: [SamplerKind: [Float]] = [:]
    for kind in kinds {
      var members = Self.sharedKeys
      members["_class_name"] = .string(kind.schedulerClass)
      expected[kind] = try image(members, kind)
    }
    for (name, keys) in Self.foreignSchedulers {
      var members = Self.sharedKeys.merging(keys) { $1 }
      members["_class_name"] = .string(name)
      for kind in kinds { #expect(try image(members, kind) == expected[kind], "\(name) \(kind)") }
      let error = #expect(throws: SamplerChoiceError.self) { try image(members, nil) }
      #expect(error?.description.contains("ddim, ddpm, euler") == true)
      #expect(error?.description.contains(name) == true)
    }
    let flow: [String: JSONValue] = ["_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3]
    let error = #expect(throws: SamplerChoiceError.self) { try image(flow, .ddim) }
    #expect(error?.description.hasSuffix("choose a sampler: flow-matching-euler") == true)
  }

  /// As in diffusers, and what is written says the same in both files.
  @Test func theSchedulerOfTheIndexWins() throws {
    let tiny = try TinyModel()
    let prompt = (prompts: ["a cat"], seeds: [3] as [UInt64])
    func image(_ folder: String, _ sampler: SamplerKind? = nil) throws -> [Float] {
      var settings = TinyModel.settings
      settings.sampler = sampler
      return try TextToImagePipeline(folder: folder).images(
        prompts: prompt.prompts, seeds: prompt.seeds, settings: settings
      ).elements
    }
    let euler = try image(tiny.folder, .eulerAncestral)
    try edit(
      "model_index.json", "scheduler", ["diffusers", "EulerAncestralDiscreteScheduler"], ""
    ).apply(tiny.file("model_index.json"))
    let ddim = try image(tiny.folder, .ddim)
    #expect(try image(tiny.folder) == euler && euler != ddim)
    let model = try TextToImageModel(folder: tiny.folder)
    #expect(model.scheduler.kind == .eulerAncestral)
    let copy = tiny.sibling("copy")
    try model.write(folder: copy)
    #expect(try image(copy) == euler)
    #expect(
      try JSONValue(path: "\(copy)/scheduler/scheduler_config.json").members?["_class_name"]
        == "EulerAncestralDiscreteScheduler")
    // Neither file need say what the other says.
    try edit("model_index.json", "scheduler", nil, "").apply(tiny.file("model_index.json"))
    #expect(try image(tiny.folder) == ddim)
  }

  @Test func filesAreNoModelFolders() throws {
    let tiny = try TinyModel()
    for (path, text) in [
      ("model_index.json", "name the folder that it is in"),
      ("text_encoder/model.safetensors", "from_single_file"),
    ] {
      let error = #expect(throws: FileError.self) {
        try TextToImageModel(folder: tiny.file(path))
      }
      let description = error?.description ?? ""
      #expect(description.contains("is a file, where a model folder is wanted"), "\(description)")
      #expect(description.contains(text), "\(description)")
    }
    let error = #expect(throws: FileError.self) {
      try TextToImageModel(folder: tiny.file("nothing"))
    }
    #expect(error?.description.contains("does not exist") == true)
  }
}

extension ModelFolderTests.Damage {
  /// Another text that the error must have.
  fileprivate func replacing(_ text: String) -> Self {
    Self(path: path, texts: Array(texts.dropFirst()) + [text], apply: apply)
  }
}

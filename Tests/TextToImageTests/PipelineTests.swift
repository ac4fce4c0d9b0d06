import Diffusion
import Files
import Foundation
import GenerativeModels
import Tensors
import TestSupport
import Testing

@testable import TextToImage

/// Images from prompts and seeds against diffusers' Stable Diffusion pipeline.
@Suite struct PipelineTests {
  private let goldens: SafetensorsFile

  init() throws { goldens = try SafetensorsFile(path: Goldens.path("pipeline.safetensors")) }

  private func settings(of name: String) -> GenerationSettings {
    var settings = TinyModel.settings
    settings.sampler = SamplerKind(rawValue: name)
    switch name {
    case "ddim, eta and rescale":
      settings.eta = 0.6
      settings.guidance.rescale = 0.7
    case "ddim, no guidance": settings.guidance.scale = 1
    case "ddim, wide": (settings.height, settings.width) = (16, 24)
    case "ddim, clip skip": settings.skippedTextLayerCount = 1
    default: break
    }
    return settings
  }

  @Test func imagesAreThoseOfDiffusers() throws {
    let pipeline = TextToImagePipeline(try TinyModel().load())
    var maximum: Float = 0
    var names = Set(goldens.names)
    let plain = try goldens.tensor(named: "ddim")
    for name in goldens.names where !["velocity", "pixels"].contains(name) {
      let images = try pipeline.images(
        prompts: TinyModel.prompts, negativePrompts: TinyModel.negativePrompts,
        seeds: TinyModel.seeds, settings: settings(of: name))
      let expected = try goldens.tensor(named: name)
      let difference = maxDifference(images, expected)
      #expect(difference <= 2 / 255, "\(name): \(difference)")
      // No golden is met by another's settings.
      #expect(name == "ddim" || maxDifference(expected, plain) > 3 * difference, "\(name)")
      maximum = max(maximum, difference)
      names.remove(name)
    }
    let model = pipeline.model
    let velocity = try TextToImageModel(
      tokenizer: model.tokenizer, textEncoder: model.textEncoder, unet: model.unet,
      autoencoder: model.autoencoder, scheduler: TinyModel.velocityScheduler())
    for (name, model) in [("velocity", velocity), ("pixels", try TinyModel.inPixelSpace(model))] {
      let images = try TextToImagePipeline(model).images(
        prompts: TinyModel.prompts, negativePrompts: TinyModel.negativePrompts,
        seeds: TinyModel.seeds, settings: settings(of: name))
      let difference = maxDifference(images, try goldens.tensor(named: name))
      #expect(difference <= 2 / 255, "\(name): \(difference)")
      maximum = max(maximum, difference)
      names.remove(name)
    }
    #expect(names.isEmpty, "not compared: \(names)")
    print("greatest difference of \(goldens.names.count) image pairs: \(maximum * 255) / 255")
  }

  @Test func imagesDoNotDependOnTheBatch() throws {
    let pipeline = TextToImagePipeline(try TinyModel().load())
    var settings = TinyModel.settings
    settings.sampler = .eulerAncestral
    var calls: [[Int]] = []
    let together = try pipeline.images(
      prompts: ["a cat"], seeds: [1, 2, 3], settings: settings
    ) { calls.append([$0, $1]) }
    #expect(calls == (1...4).map { [$0, 4] })
    settings.batchSize = 2
    calls = []
    let apart = try pipeline.images(
      prompts: ["a cat"], seeds: [1, 2, 3], settings: settings
    ) { calls.append([$0, $1]) }
    #expect(calls == (1...8).map { [$0, 8] })
    #expect(together.shape == [3, 16, 16, 3])
    #expect(maxDifference(together, apart) <= 1e-4)
    #expect(maxDifference(together.slice(0..<1), together.slice(1..<2)) > 0.01)
    // One seed serves all prompts.
    let one = try pipeline.images(prompts: ["a cat", "a cat"], seeds: [2], settings: settings)
    #expect(
      maxDifference(
        one,
        .concatenated(
          [together.slice(1..<2), together.slice(1..<2)], along: 0)) <= 1e-4)
  }

  /// What diffusers draws with `guidance_scale=0` is its golden without guidance.
  @Test(arguments: [0, 0.5, 1] as [Float]) func guidanceOfOneOrLessIsOff(_ scale: Float) throws {
    let pipeline = TextToImagePipeline(try TinyModel().load())
    var settings = settings(of: "ddim, no guidance")
    settings.guidance = Guidance(scale: scale, rescale: 0.7)
    let images = try pipeline.images(
      prompts: TinyModel.prompts, negativePrompts: TinyModel.negativePrompts,
      seeds: TinyModel.seeds, settings: settings)
    let expected = try goldens.tensor(named: "ddim, no guidance")
    #expect(maxDifference(images, expected) <= 2 / 255)
  }

  @Test func imagesDoNotDependOnTheThreads() throws {
    let pipeline = TextToImagePipeline(try TinyModel().load())
    let threadCount = WorkerPool.shared.threadCount
    defer { WorkerPool.shared.threadCount = threadCount }
    var settings = TinyModel.settings
    settings.stepCount = 2
    let images = try [1, 2, 3].map { count in
      WorkerPool.shared.threadCount = count
      return try pipeline.images(
        prompts: ["a cat"], seeds: [1, 2, 3, 4, 5, 6], settings: settings)
    }
    #expect(images[0].elements == images[1].elements)
    #expect(images[0].elements == images[2].elements)
  }

  @Test func initialNoiseReplacesTheFirstDraws() throws {
    let pipeline = TextToImagePipeline(try TinyModel().load())
    let shape = try pipeline.sampleShape(TinyModel.settings)
    #expect(shape == [8, 8, 4])
    var noise = TorchNoise(seeds: [5])
    let drawn = noise.noise([1] + shape)
    // torch.randn(1, 4, 8, 8), channels last.
    var torch = TorchRandom(seed: 5)
    #expect(maxDifference(drawn, torch.image(1, 4, 8, 8)) == 0)
    func images(_ noise: Tensor?) throws -> Tensor {
      try pipeline.images(
        prompts: ["a cat"], seeds: [5], settings: TinyModel.settings, initialNoise: noise)
    }
    #expect(try maxDifference(images(nil), images(drawn)) == 0)
    #expect(try maxDifference(images(nil), images(drawn * -1)) > 0.01)
  }

  @Test func imagesBecomeSamplesAndBack() throws {
    let model = try TinyModel().load()
    let pixels = try TinyModel.inPixelSpace(model)
    #expect(pixels.reduction == 2 && model.reduction == 2)
    var random = RandomStream(seed: 1)
    let images = random.uniform([2, 4, 6, 3])
    let samples = pixels.samples(ofImages: images)
    #expect(samples.shape == [2, 2, 3, 12])
    // Channel 3 c p + 2 dy + dx, as pixel_unshuffle has it: here c = 1, dy = 1, dx = 0.
    #expect(samples.elements[6] == images.elements[(1 * 6 + 0) * 3 + 1] * 2 - 1)
    #expect(try maxDifference(pixels.images(ofSamples: samples), images) <= 1e-6)
    let latents = model.samples(ofImages: images)
    let autoencoder = try #require(model.autoencoder as? AutoencoderKL)
    let expected = autoencoder.scaled(autoencoder.encode(images * 2 - 1).mean)
    #expect(maxDifference(latents, expected) == 0)
  }

  @Test func impossibleRequestsAreErrors() throws {
    let pipeline = TextToImagePipeline(try TinyModel().load())
    var settings = TinyModel.settings
    settings.height = 15
    #expect(throws: GenerationError.size(15, multipleOf: 2)) {
      try pipeline.images(prompts: ["a"], seeds: [1], settings: settings)
    }
    settings.height = nil
    settings.skippedTextLayerCount = 3
    #expect(throws: GenerationError.skippedLayers(3, of: 2)) {
      try pipeline.images(prompts: ["a"], seeds: [1], settings: settings)
    }
    #expect(throws: GenerationError.self) {
      try pipeline.images(prompts: ["a", "b"], seeds: [1, 2, 3], settings: TinyModel.settings)
    }
    #expect(throws: GenerationError.self) {
      try pipeline.images(prompts: [], seeds: [], settings: TinyModel.settings)
    }
    for (kind, steps) in [
      (SamplerKind.ddim, 0), (.ddim, 1_001), (.ddim, 1_000), (.dpmSolver, 1_000),
      (.unipc, 1_000), (.pndm, 2), (.lcm, 51),
    ] {
      settings = TinyModel.settings
      settings.sampler = kind
      settings.stepCount = steps
      #expect(throws: FileError.self, "\(kind), \(steps)") {
        try pipeline.images(prompts: ["a"], seeds: [1], settings: settings)
      }
    }
    settings.sampler = .flowMatchingEuler
    #expect(throws: SamplerChoiceError.self) {
      try pipeline.images(prompts: ["a"], seeds: [1], settings: settings)
    }
  }
}

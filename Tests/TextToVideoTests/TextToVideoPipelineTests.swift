import Diffusion
import Files
import GenerativeModels
import Media
import Tensors
import TestSupport
import TextToImage
import Testing

@testable import TextToVideo

/// Clips from prompts and seeds against diffusers' `TextToVideoSDPipeline`.
@Suite struct TextToVideoPipelineTests {
  private let goldens: GoldenTensors

  init() throws { goldens = try GoldenTensors("TextToVideo/pipeline.safetensors") }

  private func settings(of name: String) -> GenerationSettings {
    var settings = TinyVideoModel.settings
    if let sampler = name.split(separator: ",").first {
      settings.sampler = SamplerKind(rawValue: String(sampler))
    }
    if name.hasSuffix("no guidance") { settings.guidance.scale = 1 }
    switch name {
    case "ddim, eta 1": settings.eta = 1
    case "ddim, wide": (settings.height, settings.width, settings.frames) = (16, 24, 2)
    case "ddim, clip skip": settings.skippedTextLayerCount = 1
    default: break
    }
    return settings
  }

  private func clips(
    _ pipeline: TextToVideoPipeline, _ settings: GenerationSettings, initialNoise: Tensor? = nil
  ) throws -> Tensor {
    try pipeline.clips(
      prompts: TinyVideoModel.prompts, negativePrompts: TinyVideoModel.negativePrompts,
      seeds: TinyVideoModel.seeds, settings: settings, initialNoise: initialNoise)
  }

  @Test func clipsAreThoseOfDiffusers() throws {
    let model = try TinyVideoModel().load()
    let pipeline = TextToVideoPipeline(model)
    #expect(goldens.names.count == 10)
    var maximum: Float = 0
    let plain = try goldens["ddim"]
    for name in goldens.names {
      var pipeline = pipeline
      var noise: Tensor?
      if name == "ddim, latents given" {
        var random = TorchRandom(seed: 5)
        noise = random.normal([2, 4, 3, 8, 8]).transposed([0, 2, 3, 4, 1])
      }
      if name == "clipping scheduler" {
        guard case .object(var members) = model.scheduler.json else { continue }
        members.merge(["clip_sample": true, "steps_offset": 0]) { $1 }
        pipeline = TextToVideoPipeline(
          try TextToVideoModel(
            tokenizer: model.tokenizer, textEncoder: model.textEncoder, unet: model.unet,
            autoencoder: model.autoencoder,
            scheduler: SchedulerConfiguration(json: .object(members), path: "scheduler")))
      }
      let expected = try goldens[name]
      let found = try clips(pipeline, settings(of: name), initialNoise: noise)
      let difference = maxDifference(found, expected)
      #expect(difference <= 2 / 255, "\(name): \(difference)")
      // No golden is met by another's settings.
      #expect(name == "ddim" || maxDifference(expected, plain) > 3 * difference, "\(name)")
      maximum = max(maximum, difference)
    }
    print("greatest difference of \(goldens.names.count) pairs of clips: \(maximum * 255) / 255")
  }

  /// Initial noise channel by channel, that of steps frame by frame, each clip from its own seed.
  @Test func noiseIsDrawnAsDiffusersDrawsIt() throws {
    var noise = TorchClipNoise(seeds: [5, 6])
    let draws = (0..<3).map { _ in noise.noise([2, 3, 2, 4, 5]) }  // C = 5
    for (row, seed) in [5, 6].enumerated() {
      var random = TorchRandom(seed: UInt64(seed))
      let initial = random.normal([1, 5, 3, 2, 4]).transposed([0, 2, 3, 4, 1])[0]
      #expect(draws[0][row].elements == initial.elements)
      for draw in draws.dropFirst() {
        let expected = random.normal([3, 5, 2, 4]).transposed([0, 2, 3, 1])
        #expect(draw[row].elements == expected.elements)
      }
    }
  }

  @Test func mediaAreClips() throws {
    var pipeline = TextToVideoPipeline(try TinyVideoModel().load())
    pipeline.frameRate = 12
    var settings = TinyVideoModel.settings
    settings.stepCount = 2
    let media = try pipeline.generate(prompts: ["a cat"], seeds: [1, 2], settings: settings)
    #expect(media.count == 2 && media[0] != media[1])
    #expect(media[0].frames.count == 3 && media[0].frameRate == 12)
    #expect(media[0].width == 16 && media[0].height == 16)
    let folder = try TemporaryFolder()
    guard case .clip(let clip) = media[0] else { return #expect(Bool(false), "no clip") }
    try clip.writeMP4(to: folder.file("cat.mp4"))
    #expect(try folder.bytes("cat.mp4").count > 500)
  }

  @Test func clipsDoNotDependOnTheBatch() throws {
    let pipeline = TextToVideoPipeline(try TinyVideoModel().load())
    var settings = TinyVideoModel.settings
    settings.sampler = .eulerAncestral
    let together = try pipeline.clips(prompts: ["a cat"], seeds: [1, 2, 3], settings: settings)
    settings.batchSize = 2
    let apart = try pipeline.clips(prompts: ["a cat"], seeds: [1, 2, 3], settings: settings)
    #expect(together.shape == [3, 3, 16, 16, 3])
    #expect(maxDifference(together, apart) <= 1e-4)
    #expect(maxDifference(together.slice(0..<1), together.slice(1..<2)) > 0.01)
  }

  @Test func shapesFollowSettings() throws {
    let pipeline = TextToVideoPipeline(try TinyVideoModel().load())
    var settings = GenerationSettings()
    #expect(try pipeline.sampleShape(settings) == [16, 8, 8, 4])
    (settings.frames, settings.height, settings.width) = (5, 12, 20)
    #expect(try pipeline.sampleShape(settings) == [5, 6, 10, 4])
    let fitted = pipeline.settings(GenerationSettings(), fittingShape: [5, 6, 10, 4])
    #expect(fitted.frames == 5 && fitted.height == 12 && fitted.width == 20)
    settings.frames = 0
    #expect(throws: GenerationError.frames(0, range: 1...1_024)) {
      try pipeline.sampleShape(settings)
    }
    settings.frames = 2
    settings.height = 15
    #expect(throws: GenerationError.size(15, multipleOf: 2)) {
      try pipeline.sampleShape(settings)
    }
  }
}

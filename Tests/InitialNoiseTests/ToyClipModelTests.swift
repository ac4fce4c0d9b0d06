import Diffusion
import GenerativeModels
import InitialNoise
import Media
import NeuralNetworks
import Rewards
import Tensors
import TestSupport
import Testing

/// A generative model of clips, whole: what its prompts are encoded as, the shape of its samples,
/// how they are denoised and what they look like. Everything else is Attune's.
private struct ToyClipModel: GenerativeModel {
  /// A prompt is the brightness that it asks for.
  struct Encoder: PromptEncoder {
    func encode(
      _ prompts: [String], as role: PromptRole, settings: GenerationSettings
    ) throws -> PromptEncoding {
      let brightness = prompts.map { Float($0 == "a bright sky" ? 1 : 0) }
      return PromptEncoding(
        states: Tensor(shape: [prompts.count, 1, 1], elements: brightness))
    }
  }

  /// One weight: how much of a sample is noise.
  final class Network: Module {
    let gain = Parameter(Tensor([0.6]))
    func collect(into parameters: inout NamedParameters) { parameters.add("gain", gain) }
  }

  let network = Network()
  var promptEncoder: any PromptEncoder { Encoder() }
  var parameters: NamedParameters { network.parameters }
  var fingerprint: String { "toy clips" }

  func sampleShape(_ settings: GenerationSettings) throws -> [Int] {
    let frames = settings.frames ?? 4
    guard (1...8).contains(frames) else { throw GenerationError.frames(frames, range: 1...8) }
    return [frames, settings.height ?? 4, settings.width ?? 6, 3]
  }

  func settings(
    _ settings: GenerationSettings, fittingShape shape: [Int]
  ) -> GenerationSettings {
    var settings = settings
    (settings.frames, settings.height, settings.width) = (shape[0], shape[1], shape[2])
    return settings
  }

  func process(_ settings: GenerationSettings) throws -> DenoisingProcess {
    DenoisingProcess(
      sampler: DDIMSampler(.squaredCosine(timeStepCount: 100), count: settings.stepCount))
  }

  func denoiser(
    for condition: PromptCondition, settings: GenerationSettings
  ) throws -> Denoiser {
    let prompts = condition.positive
    let brightness = prompts.encoding.states.gather(prompts.rows)  // [B, 1, 1]
    let gain = network.gain.value
    return { sample, _ in
      sample * gain - brightness.reshaped(to: [sample.shape[0], 1, 1, 1, 1]) * 0.1
    }
  }

  func media(ofSamples samples: Tensor, settings: GenerationSettings) throws -> [Media] {
    [Media](clips: samples * 0.1 + 0.5, frameRate: 8)
  }
}

/// How much brighter clips end than they begin: no image has it.
private struct Dawn: Reward {
  let name = "dawn"

  func scores(_ media: [Media], prompts: [String]) throws -> [Float] {
    media.map { media in
      let brightness = media.frames.map { $0.tensor(range: .zeroToOne).mean().scalar }
      return brightness[brightness.count - 1] - brightness[0]
    }
  }
}

/// Scores the prompt, whatever was made for it.
private struct PromptLength: Reward {
  let name = "prompt length"

  func scores(_ media: [Media], prompts: [String]) -> [Float] { prompts.map { Float($0.count) } }
}

/// FIND on a model of clips that stands in this file alone.
@Suite struct ToyClipModelTests {
  private func settings() -> GenerationSettings {
    var settings = GenerationSettings()
    settings.stepCount = 3
    settings.guidance = Guidance(scale: 1)
    settings.batchSize = 5
    return settings
  }

  private func find(iterations: Int, frequencyFraction: Double = 1) throws -> FIND {
    var configuration = FINDConfiguration()
    configuration.iterations = iterations
    configuration.frequencyFraction = frequencyFraction
    configuration.baseline = .learned
    return try FIND(
      ToyClipModel(), prompts: ["a bright sky", "a dark sky"], settings: settings(),
      reward: Dawn(), configuration: configuration)
  }

  @Test(arguments: [1, 0.4]) func learnsTheNoiseOfClips(frequencyFraction: Double) throws {
    let find = try find(iterations: 12, frequencyFraction: frequencyFraction)
    var rewards: [Double] = []
    while !find.isFinished { rewards.append(try #require(try find.iterate()["reward"])) }
    #expect(find.iteration == 12 && find.step == 2 * 12 * 16)
    // Means of 32 clips, whose standard deviation is about 0.03.
    #expect(rewards[9...].reduce(0, +) / 3 > rewards[0] + 0.02, "\(rewards)")

    let (before, after) = (
      try find.generate(prompt: 0, usesPrior: false, firstSeed: 900, count: 16),
      try find.generate(prompt: 0, usesPrior: true, firstSeed: 900, count: 16)
    )
    #expect(after[0].frames.count == 4 && after[0].frameRate == 8)
    func mean(_ media: [Media]) throws -> Double {
      try #require(Dawn().scored(media, prompts: media.map { _ in "" }).mean)
    }
    #expect(try mean(after) > mean(before) + 0.02)
  }

  @Test func priorOfClipsIsAFileAndIsCompared() throws {
    let find = try find(iterations: 8)
    while !find.isFinished { _ = try find.iterate() }
    let folder = try TemporaryFolder()
    let path = folder.file("prior.safetensors")
    try find.priorFiles[0].write(to: path)
    let file = try NoisePriorFile(path: path)
    #expect(file.prior.shape == [4, 4, 6, 3] && file.origin.imageCount == 8 * 16)
    let fitted = find.model.settings(settings(), fittingShape: file.prior.shape)
    try file.check(
      path: path, fingerprint: "toy clips", shape: find.model.sampleShape(fitted))

    let evaluation = NoiseEvaluation(model: find.model, settings: fitted, reward: Dawn())
    let plain = try evaluation.plain(
      prompt: "a bright sky", negativePrompt: "", imageCount: 16, count: 16, seed: 77)
    let score = try #require(try evaluation.compare(file.prior, with: plain).scores["reward"])
    let (prior, noise) = (try #require(score.prior), try #require(score.plain))
    #expect(prior.mean > noise.mean + 0.02, "\(score)")
  }

  /// What knows images only sees a clip by the mean over its frames.
  @Test func imageRewardsSeeFrames() throws {
    struct Brightness: ImageReward {
      let name = "brightness"
      func scores(images: [Image], prompts: [String]) -> [Float] {
        images.map { $0.tensor(range: .zeroToOne).mean().scalar }
      }
    }
    let media = try ToyClipModel().generate(
      prompts: ["a bright sky", "a dark sky"], seeds: [1, 1], settings: settings())
    let scores = try Brightness().scores(media, prompts: ["", ""])
    let expected = media.map { media in
      media.frames.reduce(0) { $0 + $1.tensor(range: .zeroToOne).mean().scalar } / 4
    }
    #expect(zip(scores, expected).allSatisfy { abs($0 - $1) <= 1e-6 })
    #expect(scores[0] > scores[1])
    #expect(media[0].still.width == 4 * 6 && media[0].still.height == 4)
  }

  @Test func resumesExactly() throws {
    let whole = try find(iterations: 4)
    while !whole.isFinished { _ = try whole.iterate() }
    let first = try find(iterations: 4)
    for _ in 0..<2 { _ = try first.iterate() }
    let second = try find(iterations: 4)
    try second.restore(first.trainingState())
    while !second.isFinished { _ = try second.iterate() }
    for (found, expected) in zip(second.priors, whole.priors) {
      #expect(found.mean.elements == expected.mean.elements)
    }
    var other = settings()
    other.frames = 9
    #expect(throws: GenerationError.frames(9, range: 1...8)) {
      try FIND(ToyClipModel(), prompts: ["a"], settings: other, reward: Dawn())
    }
  }

  @Test func promptsLearnFromTheirOwnRewards() throws {
    var configuration = FINDConfiguration()
    configuration.imageCount = 2
    let find = try FIND(
      ToyClipModel(), prompts: ["sky", "a dark sky"], settings: settings(),
      reward: PromptLength(), configuration: configuration)
    let metrics = try find.iterate()
    #expect(metrics["rewardOfPrompt1"] == 3 && metrics["rewardOfPrompt2"] == 10)
  }
}

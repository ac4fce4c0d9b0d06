import Diffusion
import Media
import NeuralNetworks
import Tensors

/// A pretrained diffusion model that makes images or clips of prompts.
///
/// A model says what its samples are, how they are denoised and what becomes of them. Generation,
/// FIND, evaluation and rewards are written once, for all models.
public protocol GenerativeModel: Sendable {
  /// Encodes prompts.
  var promptEncoder: any PromptEncoder { get }

  /// All weights, named by part: `text_encoder.*`, `unet.*`, `vae.*`.
  var parameters: NamedParameters { get }

  /// Digits that depend on every weight and on the configuration: what is made for one model, such
  /// as a noise prior, can tell whether it meets another.
  var fingerprint: String { get }

  /// The shape of one sample: `[h, w, C]` of an image, `[F, h, w, C]` of a clip.
  ///
  /// - Throws: `GenerationError` if the size is unknown or not one that the model can make.
  func sampleShape(_ settings: GenerationSettings) throws -> [Int]

  /// Settings whose size, where they do not say it, is that of samples of a shape.
  func settings(_ settings: GenerationSettings, fittingShape shape: [Int]) -> GenerationSettings

  /// The Markov decision process that generation plays: its first action is the initial noise.
  ///
  /// - Throws: `GenerationError` or `FileError` if the model cannot be sampled so.
  func process(_ settings: GenerationSettings) throws -> DenoisingProcess

  /// The network with a batch's prompts and guidance bound.
  ///
  /// - Throws: `GenerationError` or `NonFiniteOutput` if the model cannot take them.
  func denoiser(for condition: PromptCondition, settings: GenerationSettings) throws -> Denoiser

  /// Where the noise of a batch comes from, a seed for each row; the initial noise is its first
  /// draw.
  func noiseSource(seeds: [UInt64]) -> any NoiseSource

  /// What samples `[B, ...]` look like.
  ///
  /// - Throws: `NonFiniteOutput` if samples, or what becomes of them, are not finite.
  func media(ofSamples samples: Tensor, settings: GenerationSettings) throws -> [Media]
}

extension GenerativeModel {
  /// The noise of PyTorch's generators, as diffusers draws it.
  public func noiseSource(seeds: [UInt64]) -> any NoiseSource { TorchNoise(seeds: seeds) }

  /// Generates images or clips.
  ///
  /// - Parameters:
  ///   - prompts: one for all, or one for each.
  ///   - negativePrompts: what guidance leads away from; none, one for all or one for each.
  ///   - seeds: one for all, or one for each.
  ///   - settings: size, sampler, steps and guidance.
  ///   - prior: the distribution of the initial noise, which moves and scales the seeds' first
  ///     draws; N(0, I) if nil.
  ///   - initialNoise: `[B, ...]` of unit scale to start from instead of those draws.
  ///   - progress: called with the number of finished and of all runs of the network.
  /// - Throws: `GenerationError` or `FileError` if the model cannot do it; `NonFiniteOutput` if a
  ///   part of it gives numbers that are none.
  public func generate(
    prompts: [String], negativePrompts: [String] = [], seeds: [UInt64],
    settings: GenerationSettings = GenerationSettings(), prior: NoisePrior? = nil,
    initialNoise: Tensor? = nil, progress: ((_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> [Media] {
    let samples = try samples(
      prompts: prompts, negativePrompts: negativePrompts, seeds: seeds, settings: settings,
      prior: prior, initialNoise: initialNoise, progress: progress)
    return try media(ofSamples: samples, settings: settings)
  }

  /// As `generate`, but gives the samples `[B, ...]` that `media` shows.
  ///
  /// - Throws: `GenerationError` or `FileError` if the model cannot do it; `NonFiniteOutput` if a
  ///   part of it gives numbers that are none.
  public func samples(
    prompts: [String], negativePrompts: [String] = [], seeds: [UInt64],
    settings: GenerationSettings = GenerationSettings(), prior: NoisePrior? = nil,
    initialNoise: Tensor? = nil, progress: ((_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> Tensor {
    let count = max(prompts.count, seeds.count)
    let negativePrompts = negativePrompts.isEmpty ? [""] : negativePrompts
    let counts = [prompts.count, seeds.count, negativePrompts.count]
    guard count > 0, counts.allSatisfy({ $0 == count || $0 == 1 }) else {
      throw GenerationError.counts(
        prompts: prompts.count, negativePrompts: negativePrompts.count, seeds: seeds.count)
    }
    var process = try process(settings)
    process.prior = prior
    let shape = try sampleShape(settings)
    precondition(
      initialNoise.map { $0.shape == [count] + shape } ?? true,
      "initial noise \(initialNoise?.shape ?? []) for \(count) samples of shape \(shape)")
    let size = max(1, settings.batchSize)
    let runs = process.transitionCount * ((count + size - 1) / size)
    var done = 0
    var parts: [Tensor] = []
    for start in stride(from: 0, to: count, by: size) {
      let range = start..<min(count, start + size)
      func rows<Value>(_ values: [Value]) -> [Value] {
        values.count == 1 ? [Value](repeating: values[0], count: range.count) : Array(values[range])
      }
      let denoiser = try denoiser(
        prompts: rows(prompts), negativePrompts: rows(negativePrompts), settings: settings)
      var noise = AnyNoiseSource(noiseSource(seeds: rows(seeds)))
      // Drawn even if it is not used, so that later draws stay the same.
      let drawn = process.firstAction([range.count] + shape, noise: &noise)
      var step = 0
      let chain = try process.rollout(from: initialNoise?.slice(range) ?? drawn, noise: &noise) {
        sample, timeSteps in
        step += 1
        let prediction = denoiser(sample, timeSteps)
        try requireFinite(
          prediction, of: .network(step: step, of: process.transitionCount), from: sample)
        done += 1
        progress?(done, runs)
        return prediction
      }
      parts.append(chain.sample)
    }
    return .concatenated(parts, along: 0)
  }

  /// The network with prompts and guidance bound, a prompt and a negative one for each row.
  ///
  /// - Throws: `GenerationError` or `NonFiniteOutput` if the model cannot take them.
  public func denoiser(
    prompts: [String], negativePrompts: [String], settings: GenerationSettings
  ) throws -> Denoiser {
    try denoiser(
      for: promptEncoder.condition(
        prompts: prompts, negativePrompts: negativePrompts, settings: settings),
      settings: settings)
  }

  /// Stops at numbers that are infinite or none.
  ///
  /// - Parameters:
  ///   - output: of a part, any shape.
  ///   - place: the part.
  ///   - input: what went into it, to blame where the weights are valid.
  /// - Throws: `NonFiniteOutput`, naming the first weight at fault.
  package func requireFinite(
    _ output: Tensor, of place: NonFiniteOutput.Place, from input: Tensor? = nil
  ) throws(NonFiniteOutput) {
    try NonFiniteOutput.check(output, of: place, from: input, weights: parameters)
  }
}

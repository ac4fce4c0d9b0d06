import Diffusion
import Tensors

/// Generates images from prompts.
public struct TextToImagePipeline: Sendable {
  /// The parts it is made of.
  public let model: TextToImageModel

  /// A pipeline of a model's parts.
  public init(_ model: TextToImageModel) { self.model = model }

  /// Reads a model folder in the layout of diffusers; its weights are frozen.
  ///
  /// - Throws: `FileError` naming the file and key if a part is missing, damaged or not supported.
  public init(folder: String) throws {
    model = try TextToImageModel(folder: folder)
    for (_, parameter) in model.parameters { parameter.isTrainable = false }
  }

  /// Generates images.
  ///
  /// - Parameters:
  ///   - prompts: one for all images, or one for each.
  ///   - negativePrompts: what guidance leads away from; none, one for all images or one for each.
  ///   - seeds: one for all images, or one for each; with the seeds of diffusers' generators, the
  ///     images are diffusers'.
  ///   - settings: size, sampler, steps and guidance.
  ///   - initialNoise: `[B, h, w, C]` of unit scale to start from instead of the seeds' first
  ///     draws, as a learned distribution of noise gives it.
  ///   - progress: called with the number of finished and of all runs of the network.
  /// - Returns: `[B, H, W, 3]` in 0 ... 1.
  /// - Throws: `GenerationError` or `FileError` if the model cannot do it; `NonFiniteOutput` if a
  ///   part of it gives numbers that are none.
  public func generate(
    prompts: [String], negativePrompts: [String] = [], seeds: [UInt64],
    settings: GenerationSettings = GenerationSettings(), initialNoise: Tensor? = nil,
    progress: ((_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> Tensor {
    let samples = try samples(
      prompts: prompts, negativePrompts: negativePrompts, seeds: seeds, settings: settings,
      initialNoise: initialNoise, progress: progress)
    return try model.images(ofSamples: samples, isTiled: settings.isTiled)
  }

  /// As `generate`, but gives the samples `[B, h, w, C]` that `TextToImageModel.images` makes
  /// images of.
  ///
  /// - Throws: `GenerationError` or `FileError` if the model cannot do it; `NonFiniteOutput` if a
  ///   part of it gives numbers that are none.
  public func samples(
    prompts: [String], negativePrompts: [String] = [], seeds: [UInt64],
    settings: GenerationSettings = GenerationSettings(), initialNoise: Tensor? = nil,
    progress: ((_ done: Int, _ total: Int) -> Void)? = nil
  ) throws -> Tensor {
    let count = max(prompts.count, seeds.count)
    let negativePrompts = negativePrompts.isEmpty ? [""] : negativePrompts
    let counts = [prompts.count, seeds.count, negativePrompts.count]
    guard count > 0, counts.allSatisfy({ $0 == count || $0 == 1 }) else {
      throw GenerationError.counts(
        prompts: prompts.count, negativePrompts: negativePrompts.count, seeds: seeds.count)
    }
    let process = try process(settings)
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
      var noise = TorchImageNoise(seeds: rows(seeds))
      // Drawn even if it is not used, so that later draws stay the same.
      let drawn = noise.noise([range.count] + shape)
      var step = 0
      let chain = try process.rollout(from: initialNoise?.slice(range) ?? drawn, noise: &noise) {
        sample, timeSteps in
        step += 1
        let prediction = denoiser(sample, timeSteps)
        try model.requireFinite(
          prediction, of: .unet(step: step, of: process.transitionCount), from: sample)
        done += 1
        progress?(done, runs)
        return prediction
      }
      parts.append(chain.sample)
    }
    return .concatenated(parts, along: 0)
  }

  /// The Markov decision process that generation plays: its first action is the initial noise.
  ///
  /// - Throws: `FileError` if the model's scheduler does not fit the settings.
  public func process(_ settings: GenerationSettings) throws -> DenoisingProcess {
    DenoisingProcess(
      sampler: try model.scheduler.sampler(
        settings.sampler, stepCount: settings.stepCount, eta: settings.eta,
        isForLatents: model.autoencoder != nil))
  }

  /// The shape `[h, w, C]` of one sample.
  ///
  /// - Throws: `GenerationError` if the size is unknown or not a multiple of what the model needs.
  public func sampleShape(_ settings: GenerationSettings) throws -> [Int] {
    let configuration = model.unet.configuration
    func side(_ pixels: Int?, _ index: Int) throws -> Int {
      guard let pixels else {
        guard let size = configuration.sampleSize else { throw GenerationError.unknownSize }
        return size[index]
      }
      guard pixels > 0, pixels % model.reduction == 0 else {
        throw GenerationError.size(pixels, multipleOf: model.reduction)
      }
      return pixels / model.reduction
    }
    return [try side(settings.height, 0), try side(settings.width, 1), configuration.inputChannels]
  }

  /// The U-Net with its prompts and guidance bound, both halves in one batch.
  ///
  /// - Parameters:
  ///   - prompts: one for each row of the batch.
  ///   - negativePrompts: one for each row.
  ///   - settings: guidance and the text layers left out.
  /// - Throws: `GenerationError` if more text layers are to be left out than there are;
  ///   `NonFiniteOutput` if the text encoder gives numbers that are none.
  public func denoiser(
    prompts: [String], negativePrompts: [String], settings: GenerationSettings
  ) throws -> Denoiser {
    precondition(
      prompts.count == negativePrompts.count,
      "\(prompts.count) prompts and \(negativePrompts.count) negative prompts")
    let layers = model.textEncoder.configuration.layerCount
    guard (0...layers).contains(settings.skippedTextLayerCount) else {
      throw GenerationError.skippedLayers(settings.skippedTextLayerCount, of: layers)
    }
    // As in diffusers, layers are left out for what is wanted, not for what is not.
    let wanted = try context(of: prompts, skippedLayerCount: settings.skippedTextLayerCount)
    let guided =
      settings.guidance.isOn
      ? PromptContext.joined(try context(of: negativePrompts), wanted) : wanted
    let unet = model.unet
    return settings.guidance.applied { sample, timeSteps, halves in
      unet.sharded(sample, timeSteps: timeSteps, context: halves == .both ? guided : wanted)
    }
  }

  /// Keys and values of texts, computed once for each different one.
  private func context(
    of texts: [String], skippedLayerCount: Int = 0
  ) throws(NonFiniteOutput) -> PromptContext {
    let different = Array(Set(texts)).sorted()
    let places = Dictionary(uniqueKeysWithValues: zip(different, 0...))
    let encoded = model.textEncoder.hiddenStates(
      different.map(model.tokenizer.paddedTokens), skippedLayerCount: skippedLayerCount)
    try model.requireFinite(encoded, of: .textEncoder)
    return model.unet.context(encoded).rows(texts.map { places[$0] ?? 0 })
  }
}

import Diffusion
import Tensors

/// The squared error of what the network says about noised images or clips (Ho et al., arXiv:2006.11239,
/// equation 14), for the prediction and the noise levels of the model's scheduler.
struct DenoisingLoss<Network: PromptedNetwork>: Sendable {
  let model: PromptedModel<Network>
  let promptDropout: Float
  /// The weight of each time step.
  private let weights: [Float]
  private let emptyPrompt: [Int]

  /// Images or clips and what they show.
  struct Batch: Sendable {
    /// `[B, H, W, 3]`, of clips `[B, F, H, W, 3]`, in -1 ... 1
    let images: Tensor
    /// `B` lists of tokens, padded.
    let prompts: [[Int]]
  }

  init(model: PromptedModel<Network>, configuration: PromptedTrainingConfiguration) {
    self.model = model
    promptDropout = Float(configuration.promptDropout)
    emptyPrompt = model.tokenizer.paddedTokens("")
    weights = Self.weights(
      of: model.scheduler.schedule, predictionType: model.scheduler.predictionType,
      gamma: configuration.minimumSNRGamma)
  }

  /// min(SNR, gamma) weights the error of the sample (Hang et al., arXiv:2303.09556, equation 6);
  /// that of the noise is SNR times it, that of the velocity SNR + 1 times.
  static func weights(
    of schedule: NoiseSchedule, predictionType: PredictionType, gamma: Double
  ) -> [Float] {
    schedule.cumulativeAlphas.map { alphaBar in
      guard gamma > 0 else { return 1 }
      let alphaBar = Double(alphaBar)
      // min(SNR, gamma) = min(alphaBar, gamma (1 - alphaBar)) / (1 - alphaBar), without dividing by
      // 0.
      let clipped = min(alphaBar, gamma * (1 - alphaBar))
      return switch predictionType {
      case .sample: Float(alphaBar < 1 ? clipped / (1 - alphaBar) : gamma)
      case .noise: Float(alphaBar > 0 ? clipped / alphaBar : 1)
      case .velocity: Float(clipped)
      }
    }
  }

  /// The loss of some rows of a batch, divided by the size of the whole batch.
  ///
  /// Each row has a stream of its own for what is random: shards do not matter.
  func callAsFunction(_ batch: Batch, rows: Range<Int>, draws: RandomStream) -> Tensor {
    var streams = rows.map { draws.split($0) }
    var prompts: [[Int]] = []
    var timeSteps: [Int] = []
    for (index, row) in rows.enumerated() {
      let isDropped = Float.random(in: 0..<1, using: &streams[index]) < promptDropout
      prompts.append(isDropped ? emptyPrompt : batch.prompts[row])
      timeSteps.append(streams[index].integer(below: weights.count))
    }
    let samples = samples(of: batch.images.slice(rows), streams: &streams)  // [B, ..., h, w, C]
    let noise = Self.noise(samples.shape, streams: &streams)
    let errors = squaredErrors(
      samples: samples, noise: noise, timeSteps: timeSteps, prompts: prompts)
    let fraction = Float(samples.count / rows.count * batch.prompts.count)
    return (errors * Tensor(timeSteps.map { weights[$0] / fraction })).sum()
  }

  /// Each row's squared error, summed over its elements: `[B]`.
  func squaredErrors(
    samples: Tensor, noise: Tensor, timeSteps: [Int], prompts: [[Int]]
  ) -> Tensor {
    let schedule = model.scheduler.schedule
    let noisy = schedule.noisySample(samples, noise: noise, at: .perRow(timeSteps))
    let target = schedule.target(
      model.scheduler.predictionType, sample: samples, noise: noise, at: .perRow(timeSteps))
    let context = model.unet.context(model.textEncoder.hiddenStates(prompts))
    let prediction = model.unet.prediction(
      noisy, timeSteps: .perRow(timeSteps.map(Float.init)), context: context)
    return (prediction - target).squared().flattened(from: 1).sum(along: 1)
  }

  private func samples(of images: Tensor, streams: inout [RandomStream]) -> Tensor {
    guard let autoencoder = model.autoencoder else { return model.samples(ofSignedImages: images) }
    let factor = model.reduction
    let (height, width) = (images.shape[images.rank - 3], images.shape[images.rank - 2])
    let shape =
      Array(images.shape.dropLast(3)) + [
        height / factor, width / factor, autoencoder.latentChannels,
      ]
    return model.samples(
      ofSignedImages: images, noise: Self.noise(shape, streams: &streams))
  }

  private static func noise(_ shape: [Int], streams: inout [RandomStream]) -> Tensor {
    .stacked(streams.indices.map { streams[$0].normal(Array(shape.dropFirst())) })
  }
}

import Tensors

/// Euler's method on the probability-flow ODE (Karras et al., arXiv:2206.00364, algorithm 2 without
/// churn and correction).
///
/// The sample is y = x_0 + sigma e, not scaled to unit variance; the network sees y / sqrt(sigma^2
/// + 1).
public struct EulerSampler: MarkovSampler {
  /// The diffusion times, noisiest first.
  public let timeSteps: [Float]
  /// The standard deviation of the first sample.
  public let initialNoiseScale: Float
  /// What the network predicts.
  public let predictionType: PredictionType
  /// sigma before each step, and 0.
  let sigmas: [Float]

  /// - Parameters:
  ///   - schedule: the noise levels of training.
  ///   - predictionType: what the network predicts.
  ///   - spacing: how time steps are chosen from those of training.
  ///   - offset: added to the time steps; `steps_offset` in diffusers.
  ///   - count: the number of steps.
  ///   - usesKarrasSigmas: spaces noise levels by equation 5 of the paper.
  public init(
    _ schedule: NoiseSchedule, count: Int, predictionType: PredictionType = .noise,
    spacing: TimeStepSpacing = .linspace, offset: Int = 0, usesKarrasSigmas: Bool = false
  ) {
    let levels = NoiseLevels.forODE(
      schedule, count: count, spacing: spacing, offset: offset, usesKarras: usesKarrasSigmas)
    timeSteps = levels.timeSteps
    sigmas = levels.sigmas
    initialNoiseScale = levels.initialNoiseScale(spacing)
    self.predictionType = predictionType
  }

  /// y / sqrt(sigma^2 + 1)
  public func modelInput(_ sample: Tensor, at indices: Rowwise<Int>) -> Tensor {
    sample.scaledForNetwork(sigmas, at: indices)
  }

  /// One Euler step along d = (y - x_0) / sigma; deterministic.
  public func transition(
    from sample: Tensor, prediction: Tensor, at indices: Rowwise<Int>
  ) -> Transition {
    let sigma = indices.entries(of: sigmas, rank: sample.rank)
    let next = indices.map { $0 + 1 }.entries(of: sigmas, rank: sample.rank)
    let estimate = predictionType.estimate(
      prediction, unscaledSample: sample, noiseLevel: sigma)
    let derivative = (sample - estimate) / sigma
    return Transition(mean: sample + derivative * (next - sigma))
  }
}

import Tensors

/// Heun's method of second order on the probability-flow ODE (Karras et al., arXiv:2206.00364,
/// algorithm 1 without churn).
///
/// A step to a level above 0 runs the network twice, so N steps have 2 N - 1 time steps: at an even
/// index a trial step is made, at an odd one it is redone with the mean of both derivatives. The
/// sample is y = x_0 + sigma e, as in `EulerSampler`.
public struct HeunSampler: Sampler {
  /// The diffusion times, noisiest first; all but the first twice.
  public let timeSteps: [Float]
  /// The standard deviation of the first sample.
  public let initialNoiseScale: Float
  /// What the network predicts.
  public let predictionType: PredictionType
  /// Estimates of x_0 are clamped to +- this.
  public let estimateLimit: Float?
  /// sigma at each index, and 0.
  private let sigmas: [Float]

  /// - Parameters:
  ///   - schedule: the noise levels of training.
  ///   - predictionType: what the network predicts.
  ///   - spacing: how time steps are chosen from those of training.
  ///   - offset: added to the time steps; `steps_offset` in diffusers.
  ///   - estimateLimit: estimates of x_0 are clamped to +- this.
  ///   - count: the number of steps N.
  ///   - sigmas: how noise levels are spaced, where not by the time steps.
  public init(
    _ schedule: NoiseSchedule, count: Int, predictionType: PredictionType = .noise,
    spacing: TimeStepSpacing = .linspace, offset: Int = 0, sigmas: SigmaSpacing? = nil,
    estimateLimit: Float? = nil
  ) {
    let levels = NoiseLevels.forODE(
      schedule, count: count, spacing: spacing, offset: offset, sigmas: sigmas)
    func twiceButFirst(_ values: some Sequence<Float>) -> [Float] {
      Array(values.flatMap { [$0, $0] }.dropFirst())
    }
    timeSteps = twiceButFirst(levels.timeSteps)
    self.sigmas = twiceButFirst(levels.sigmas.dropLast()) + [0]
    initialNoiseScale = levels.initialNoiseScale(spacing)
    self.predictionType = predictionType
    self.estimateLimit = estimateLimit
  }

  /// y / sqrt(sigma^2 + 1)
  public func modelInput(_ sample: Tensor, at indices: Broadcast<Int>) -> Tensor {
    sample.scaledForNetwork(sigmas, at: indices)
  }

  /// The trial step or its correction; deterministic.
  public func transition(
    from sample: Tensor, prediction: Tensor, at index: Int, memory: inout SamplerMemory
  ) -> Transition {
    let sigma = sigmas[index]
    let estimate = predictionType.estimate(
      prediction, unscaledSample: sample, noiseLevel: Tensor(sigma)
    ).limited(to: estimateLimit)
    let derivative = (sample - estimate) / Tensor(sigma)
    guard index % 2 == 1 else {
      memory.previousSample = sample
      memory.previousDerivative = derivative
      return Transition(mean: sample + derivative * (sigmas[index + 1] - sigma))
    }
    guard let start = memory.previousSample, let first = memory.previousDerivative else {
      preconditionFailure("Heun's correction at index \(index) needs the trial step before it")
    }
    let mean = (first + derivative) * 0.5
    return Transition(mean: start + mean * (sigma - sigmas[index - 1]))
  }
}

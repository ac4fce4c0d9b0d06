import Tensors

/// Sampling of latent consistency models (Luo et al., arXiv:2310.04378, algorithm 3): a network that
/// was distilled to lead to the clean sample at once does so at each step, and noise takes what it
/// found back to the next, lower level.
///
/// Every transition but the last is a Gaussian of the current sample alone.
public struct LCMSampler: MarkovSampler {
  /// The diffusion times, noisiest first.
  public let timeSteps: [Float]
  /// What the network predicts.
  public let predictionType: PredictionType
  /// Estimates of x_0 are clamped to +- this.
  public let estimateLimit: Float?
  /// Dynamic thresholding of estimates of x_0, in place of `estimateLimit`.
  public let thresholding: DynamicThresholding?
  private let signalScales: [Float]
  private let noiseScales: [Float]
  /// How much of the estimate, and of the sample, is in what the consistency function gives.
  private let estimateScales: [Float]
  private let sampleScales: [Float]
  /// The signal and noise of the next level; 1 and 0 after the last step.
  private let nextSignalScales: [Float]
  private let stds: [Float]

  /// - Parameters:
  ///   - schedule: the noise levels of training.
  ///   - count: the number of steps, at most `distilledCount`.
  ///   - distilledCount: the time steps that the network was distilled at;
  ///     `original_inference_steps` in diffusers.
  ///   - timeStepScale: how fast the sample's fraction in the result falls with time;
  ///     `timestep_scaling`.
  ///   - predictionType: what the network predicts.
  ///   - estimateLimit: estimates of x_0 are clamped to +- this.
  ///   - thresholding: in place of `estimateLimit`.
  public init(
    _ schedule: NoiseSchedule, count: Int, distilledCount: Int = 50, timeStepScale: Float = 10,
    predictionType: PredictionType = .noise, estimateLimit: Float? = nil,
    thresholding: DynamicThresholding? = nil
  ) {
    precondition(
      (1...schedule.timeStepCount).contains(distilledCount)
        && (1...distilledCount).contains(count),
      "\(count) of \(distilledCount) steps of a schedule with \(schedule.timeStepCount)")
    let stride = schedule.timeStepCount / distilledCount
    let spacing = Double(distilledCount) / Double(count)
    let times = (0..<count).map { index in
      // Rounded down as numpy does it, where the product is not quite whole.
      (distilledCount - Int(Double(index) * spacing)) * stride - 1
    }
    timeSteps = times.map { Float($0) }
    self.predictionType = predictionType
    self.estimateLimit = estimateLimit
    self.thresholding = thresholding
    (signalScales, noiseScales) = schedule.scales(at: times, predictionType: predictionType)
    // Boundary conditions with sigma_data = 0.5: at time 0 the sample itself comes out.
    let variance: Float = 0.25
    let scaled = timeSteps.map { $0 * timeStepScale }
    estimateScales = scaled.map { $0 / ($0 * $0 + variance).squareRoot() }
    sampleScales = scaled.map { variance / ($0 * $0 + variance) }
    nextSignalScales = signalScales.dropFirst() + [1]
    stds = noiseScales.dropFirst() + [0]
  }

  /// A Gaussian about the noised result of the consistency function; the result itself at the end.
  public func transition(
    from sample: Tensor, prediction: Tensor, at indices: Broadcast<Int>
  ) -> Transition {
    func entries(_ table: [Float]) -> Tensor { indices.entries(of: table, rank: sample.rank) }
    // 1. The estimate of x_0.
    let estimate = predictionType.estimate(
      prediction, sample: sample, signalScale: entries(signalScales),
      noiseScale: entries(noiseScales)
    ).limited(to: estimateLimit, or: thresholding)
    // 2. The consistency function.
    let result = entries(estimateScales) * estimate + entries(sampleScales) * sample
    // 3. The next level.
    let mean = entries(nextSignalScales) * result
    if indices.allSatisfy({ stds[$0] == 0 }) { return Transition(mean: mean) }
    return Transition(mean: mean, standardDeviation: entries(stds))
  }
}

import Tensors

/// Ancestral sampling (Ho et al., arXiv:2006.11239, algorithm 2), also over fewer time steps than
/// the model was trained on.
///
/// The paper's symbols: alphaBar_t is `cumulativeAlphas[t]`; mu~ and beta~ (equation 7) are the
/// posterior mean and variance; x_0 is the estimate.
public struct DDPMSampler: MarkovSampler {
  /// The variance of a transition.
  public enum Variance: String, Sendable, CaseIterable, Codable {
    /// The posterior's beta~, right if x_0 is known.
    case fixedSmall
    /// beta~ by way of its logarithm; `fixed_small_log` in diffusers.
    case fixedSmallLog
    /// beta, right if x_0 is standard normal.
    case fixedLarge
  }

  /// The diffusion times, noisiest first.
  public let timeSteps: [Float]
  /// What the network predicts.
  public let predictionType: PredictionType
  /// Estimates of x_0 are clamped to +- this; `clip_sample_range` in diffusers, 1 in DPPO.
  public let estimateLimit: Float?
  /// Dynamic thresholding of estimates of x_0, in place of `estimateLimit`.
  public let thresholding: DynamicThresholding?
  private let signalScales: [Float]
  private let noiseScales: [Float]
  private let estimateCoefficients: [Float]
  private let sampleCoefficients: [Float]
  private let stds: [Float]

  /// - Parameters:
  ///   - schedule: the noise levels of training.
  ///   - predictionType: what the network predicts.
  ///   - spacing: how time steps are chosen from those of training.
  ///   - variance: the standard deviation of the transitions.
  ///   - estimateLimit: estimates of x_0 are clamped to +- this.
  ///   - thresholding: in place of `estimateLimit`.
  ///   - count: the number of denoising steps; all of the schedule's unless given.
  ///   - offset: `steps_offset` in diffusers.
  public init(
    _ schedule: NoiseSchedule, count: Int? = nil, predictionType: PredictionType = .noise,
    spacing: TimeStepSpacing = .leading, offset: Int = 0, variance: Variance = .fixedSmall,
    estimateLimit: Float? = nil, thresholding: DynamicThresholding? = nil
  ) {
    let times = spacing.timeSteps(
      count ?? schedule.timeStepCount, of: schedule.timeStepCount, offset: offset)
    timeSteps = times.map { Float($0) }
    self.predictionType = predictionType
    self.estimateLimit = estimateLimit
    self.thresholding = thresholding
    let posteriors = times.indices.map { index in
      let previous = index + 1 < times.count ? times[index + 1] : -1
      return Posterior(schedule, at: times[index], previous: previous)
    }
    (signalScales, noiseScales) = schedule.scales(at: times, predictionType: predictionType)
    estimateCoefficients = posteriors.map(\.estimateCoefficient)
    sampleCoefficients = posteriors.map(\.sampleCoefficient)
    stds = zip(times, posteriors).map { time, posterior in
      time == 0 ? 0 : posterior.std(variance)
    }
  }

  /// q(x_s | x_t, x_0) between two time steps s < t.
  private struct Posterior {
    let beta: Float
    let estimateCoefficient: Float
    let sampleCoefficient: Float
    let variance: Float

    init(_ schedule: NoiseSchedule, at time: Int, previous: Int) {
      let alphaBar = schedule.cumulativeAlphas[time]
      let previousAlphaBar = previous >= 0 ? schedule.cumulativeAlphas[previous] : 1
      // Between neighbours beta is known exactly, where the quotient has lost digits. The last step
      // has to have the coefficients 1 and 0, to the last bit.
      let isNeighbour = previous >= 0 && previous == time - 1
      beta = isNeighbour ? schedule.betas[time] : 1 - alphaBar / previousAlphaBar
      let alpha = isNeighbour ? 1 - beta : alphaBar / previousAlphaBar
      estimateCoefficient = previousAlphaBar.squareRoot() * beta / (1 - alphaBar)
      sampleCoefficient = alpha.squareRoot() * (1 - previousAlphaBar) / (1 - alphaBar)
      variance = (1 - previousAlphaBar) / (1 - alphaBar) * beta
    }

    func std(_ kind: Variance) -> Float {
      switch kind {
      case .fixedSmall, .fixedSmallLog: variance.squareRoot()
      case .fixedLarge: beta.squareRoot()
      }
    }
  }

  /// The numbers of the transition at an index of `timeSteps`.
  public func coefficients(at index: Int) -> SamplingCoefficients {
    SamplingCoefficients(
      signalScale: signalScales[index], noiseScale: noiseScales[index],
      estimate: estimateCoefficients[index], sample: sampleCoefficients[index], noise: 0)
  }

  /// A Gaussian about the posterior mean; deterministic at time step 0.
  public func transition(
    from sample: Tensor, prediction: Tensor, at indices: Broadcast<Int>
  ) -> Transition {
    let rank = sample.rank
    // 1. The estimate of x_0, clamped.
    let estimate = predictionType.estimate(
      prediction, sample: sample,
      signalScale: indices.entries(of: signalScales, rank: rank),
      noiseScale: indices.entries(of: noiseScales, rank: rank)
    ).limited(to: estimateLimit, or: thresholding)
    // 2. The posterior mean (equation 7).
    let mean =
      indices.entries(of: estimateCoefficients, rank: rank) * estimate
      + indices.entries(of: sampleCoefficients, rank: rank) * sample
    // 3. Its standard deviation.
    if indices.allSatisfy({ stds[$0] == 0 }) { return Transition(mean: mean) }
    return Transition(
      mean: mean, standardDeviation: indices.entries(of: stds, rank: rank))
  }
}

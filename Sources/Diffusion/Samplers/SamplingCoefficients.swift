/// The numbers of a transition, for whoever walks the chain elsewhere, with a network that predicts
/// the noise e:
///
/// x_0 = clamp((x_t - noiseScale e) / signalScale), and the mean of the next sample is
/// estimate x_0 + sample x_t + noise e.
public struct SamplingCoefficients: Codable, Equatable, Sendable {
  /// How much of the clean sample is in x_t: sqrt(alphaBar_t).
  public let signalScale: Float
  /// How much noise is in x_t: sqrt(1 - alphaBar_t).
  public let noiseScale: Float
  /// The factor of the estimate x_0 in the mean.
  public let estimate: Float
  /// The factor of x_t in the mean; 0 with DDIM.
  public let sample: Float
  /// The factor of the noise in the mean; 0 with DDPM. Where the sampler recomputes noise, this is
  /// (x_t - signalScale x_0) / noiseScale.
  public let noise: Float
}

extension DenoisingProcess {
  /// The standard deviation of a transition as the process samples it, its noise rule included; nil
  /// where it draws no noise.
  ///
  /// It has to be the same for all samples: a learned one is not.
  public func samplingStd(at index: Int) -> Float? {
    let transition = transition(from: .zeros([1, 1]), at: .shared(index)) { sample, _ in sample }
    return noiseRule.applied(to: transition, isLast: index == transitionCount - 1)
      .standardDeviation?.scalar
  }
}

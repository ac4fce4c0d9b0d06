import Tensors

/// What a denoising network predicts from x_t = a x_0 + s e, where a^2 + s^2 = 1 and e ~ N(0, I).
public enum PredictionType: String, Sendable, CaseIterable, Codable {
  /// The noise e (Ho et al., arXiv:2006.11239).
  case noise
  /// The clean sample x_0.
  case sample
  /// The velocity v = a e - s x_0 (Salimans and Ho, arXiv:2202.00512).
  case velocity

  /// The estimate of x_0 in a network's prediction.
  ///
  /// - Parameters:
  ///   - sample: x_t `[B, ...]`
  ///   - signalScale: a, broadcast.
  ///   - noiseScale: s, broadcast.
  func estimate(
    _ prediction: Tensor, sample: Tensor, signalScale: Tensor, noiseScale: Tensor
  ) -> Tensor {
    switch self {
    case .noise: (sample - noiseScale * prediction) / signalScale
    case .sample: prediction
    case .velocity: signalScale * sample - noiseScale * prediction
    }
  }

  /// The estimate of the noise e in a network's prediction.
  func noise(
    _ prediction: Tensor, sample: Tensor, signalScale: Tensor, noiseScale: Tensor
  ) -> Tensor {
    switch self {
    case .noise: prediction
    case .sample: (sample - signalScale * prediction) / noiseScale
    case .velocity: signalScale * prediction + noiseScale * sample
    }
  }

  /// The estimate of x_0 where the sample is y = x_t / a = x_0 + sigma e, as the solvers of
  /// Karras et al. (arXiv:2206.00364) keep it.
  func estimate(_ prediction: Tensor, unscaledSample: Tensor, noiseLevel: Tensor) -> Tensor {
    switch self {
    case .noise: return unscaledSample - noiseLevel * prediction
    case .sample: return prediction
    case .velocity:
      let square = noiseLevel.squared() + 1
      return prediction * (-noiseLevel / square.squareRoot()) + unscaledSample / square
    }
  }
}

extension NoiseSchedule {
  /// x_t = sqrt(alphaBar_t) x_0 + sqrt(1 - alphaBar_t) e: what a network is trained on.
  ///
  /// - Parameters:
  ///   - sample: x_0 `[B, ...]`
  ///   - noise: e `[B, ...]`
  ///   - timeSteps: t, below `timeStepCount`.
  public func noisySample(
    _ sample: Tensor, noise: Tensor, at timeSteps: Broadcast<Int>
  ) -> Tensor {
    timeSteps.entries(of: signalScales, rank: sample.rank) * sample
      + timeSteps.entries(of: noiseScales, rank: sample.rank) * noise
  }

  /// What a network with the given prediction type should say about `noisySample`.
  public func target(
    _ predictionType: PredictionType, sample: Tensor, noise: Tensor, at timeSteps: Broadcast<Int>
  ) -> Tensor {
    switch predictionType {
    case .noise: noise
    case .sample: sample
    case .velocity:
      timeSteps.entries(of: signalScales, rank: sample.rank) * noise
        - timeSteps.entries(of: noiseScales, rank: sample.rank) * sample
    }
  }

  /// The time steps whose noise level sigma = sqrt((1 - alphaBar) / alphaBar) lies in a range, as
  /// interval guidance is stated (arXiv:2404.07724); nil if there are none.
  public func timeSteps(withNoiseLevelsIn range: ClosedRange<Float>) -> ClosedRange<Float>? {
    let inside = cumulativeAlphas.indices.filter { index in
      let alphaBar = cumulativeAlphas[index]
      return range.contains(((1 - alphaBar) / alphaBar).squareRoot())
    }
    guard let first = inside.first, let last = inside.last else { return nil }
    return Float(first)...Float(last)
  }
}

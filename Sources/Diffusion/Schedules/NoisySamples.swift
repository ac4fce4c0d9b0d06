import Tensors

extension NoiseSchedule {
  /// x_t = sqrt(alphaBar_t) x_0 + sqrt(1 - alphaBar_t) e: what a network is trained on.
  ///
  /// - Parameters:
  ///   - sample: x_0 `[B, ...]`
  ///   - noise: e `[B, ...]`
  ///   - timeSteps: t, below `timeStepCount`.
  public func noisySample(
    _ sample: Tensor, noise: Tensor, at timeSteps: Rowwise<Int>
  ) -> Tensor {
    timeSteps.entries(of: signalScales, rank: sample.rank) * sample
      + timeSteps.entries(of: noiseScales, rank: sample.rank) * noise
  }

  /// What a network with the given prediction type should say about `noisySample`.
  public func target(
    _ predictionType: PredictionType, sample: Tensor, noise: Tensor, at timeSteps: Rowwise<Int>
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

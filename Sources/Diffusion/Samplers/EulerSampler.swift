import Tensors

/// Euler's method on the probability-flow ODE (Karras et al., arXiv:2206.00364, algorithm 2 without
/// churn and correction).
///
/// The sample is y = x_0 + sigma e, not scaled to unit variance; the network sees y / sqrt(sigma^2 + 1).
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

extension NoiseLevels {
  /// The levels of the solvers that keep an unscaled sample.
  static func forODE(
    _ schedule: NoiseSchedule, count: Int, spacing: TimeStepSpacing, offset: Int,
    usesKarras: Bool = false
  ) -> NoiseLevels {
    let positions = spacing.positions(count, of: schedule.timeStepCount, offset: offset)
    let levels = NoiseLevels(schedule, at: positions)
    guard usesKarras else { return levels }
    let table = table(schedule)
    // The ends in double precision, before rounding.
    func level(_ position: Double) -> Double {
      interpolate(table, at: Double(Float(position)))
    }
    return NoiseLevels(
      karras: schedule, from: level(positions[0]), to: level(positions[count - 1]), count: count)
  }

  /// The greatest level where the first time step is the noisiest of all; otherwise the deviation of
  /// y at that level.
  func initialNoiseScale(_ spacing: TimeStepSpacing) -> Float {
    let greatest = sigmas.max() ?? 1
    switch spacing {
    case .linspace, .trailing: return greatest
    case .leading: return (greatest * greatest + 1).squareRoot()
    }
  }
}

extension Tensor {
  /// y / sqrt(sigma^2 + 1): y scaled to the variance that the network was trained on.
  func scaledForNetwork(_ sigmas: [Float], at indices: Rowwise<Int>) -> Tensor {
    self / (indices.entries(of: sigmas, rank: rank).squared() + 1).squareRoot()
  }
}

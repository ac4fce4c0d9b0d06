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
  /// sigma before each step, and at the end.
  let sigmas: [Float]

  /// - Parameters:
  ///   - schedule: the noise levels of training.
  ///   - predictionType: what the network predicts.
  ///   - spacing: how time steps are chosen from those of training.
  ///   - offset: added to the time steps; `steps_offset` in diffusers.
  ///   - count: the number of steps.
  ///   - sigmas: how noise levels are spaced, where not by the time steps.
  ///   - endsAtCleanSample: ends at sigma = 0 rather than at the minimum level of the schedule;
  ///     `final_sigmas_type`.
  public init(
    _ schedule: NoiseSchedule, count: Int, predictionType: PredictionType = .noise,
    spacing: TimeStepSpacing = .linspace, offset: Int = 0, sigmas: SigmaSpacing? = nil,
    endsAtCleanSample: Bool = true
  ) {
    let levels = NoiseLevels.forODE(
      schedule, count: count, spacing: spacing, offset: offset, sigmas: sigmas,
      final: endsAtCleanSample ? 0 : NoiseLevels.table(schedule)[0])
    timeSteps = levels.timeSteps
    self.sigmas = levels.sigmas
    initialNoiseScale = levels.initialNoiseScale(spacing)
    self.predictionType = predictionType
  }

  /// y / sqrt(sigma^2 + 1)
  public func modelInput(_ sample: Tensor, at indices: Broadcast<Int>) -> Tensor {
    sample.scaledForNetwork(sigmas, at: indices)
  }

  /// One Euler step along d = (y - x_0) / sigma; deterministic.
  public func transition(
    from sample: Tensor, prediction: Tensor, at indices: Broadcast<Int>
  ) -> Transition {
    let sigma = indices.entries(of: sigmas, rank: sample.rank)
    let next = indices.map { $0 + 1 }.entries(of: sigmas, rank: sample.rank)
    let estimate = predictionType.estimate(
      prediction, unscaledSample: sample, noiseLevel: sigma)
    let derivative = (sample - estimate) / sigma
    return Transition(mean: sample + derivative * (next - sigma))
  }
}

/// Euler steps below the target noise level, and fresh noise back up to it (Crowson, k-diffusion,
/// `sample_euler_ancestral`).
///
/// The sample is y = x_0 + sigma e, as in `EulerSampler`.
public struct EulerAncestralSampler: MarkovSampler {
  /// The diffusion times, noisiest first.
  public let timeSteps: [Float]
  /// The standard deviation of the first sample.
  public let initialNoiseScale: Float
  /// What the network predicts.
  public let predictionType: PredictionType
  private let sigmas: [Float]
  /// The standard deviation of the fresh noise.
  private let upward: [Float]
  /// Where the Euler step ends.
  private let downward: [Float]

  /// - Parameters:
  ///   - schedule: the noise levels of training.
  ///   - predictionType: what the network predicts.
  ///   - spacing: how time steps are chosen from those of training.
  ///   - offset: added to the time steps; `steps_offset` in diffusers.
  ///   - count: the number of steps.
  public init(
    _ schedule: NoiseSchedule, count: Int, predictionType: PredictionType = .noise,
    spacing: TimeStepSpacing = .linspace, offset: Int = 0
  ) {
    let levels = NoiseLevels.forODE(schedule, count: count, spacing: spacing, offset: offset)
    timeSteps = levels.timeSteps
    sigmas = levels.sigmas
    initialNoiseScale = levels.initialNoiseScale(spacing)
    self.predictionType = predictionType
    let pairs = zip(levels.sigmas, levels.sigmas.dropFirst())
    upward = pairs.map { from, to in
      let (from, to) = (from * from, to * to)
      return (to * (from - to) / from).squareRoot()
    }
    downward = zip(levels.sigmas.dropFirst(), upward).map { to, up in
      // After a far leap nearly all is drawn anew, and rounding may leave less than nothing.
      max(to * to - up * up, 0).squareRoot()
    }
  }

  /// y / sqrt(sigma^2 + 1)
  public func modelInput(_ sample: Tensor, at indices: Broadcast<Int>) -> Tensor {
    sample.scaledForNetwork(sigmas, at: indices)
  }

  /// A Gaussian about the Euler step; deterministic at the end.
  public func transition(
    from sample: Tensor, prediction: Tensor, at indices: Broadcast<Int>
  ) -> Transition {
    let sigma = indices.entries(of: sigmas, rank: sample.rank)
    let estimate = predictionType.estimate(
      prediction, unscaledSample: sample, noiseLevel: sigma)
    let derivative = (sample - estimate) / sigma
    let down = indices.entries(of: downward, rank: sample.rank)
    let mean = sample + derivative * (down - sigma)
    if indices.allSatisfy({ upward[$0] == 0 }) { return Transition(mean: mean) }
    return Transition(
      mean: mean, standardDeviation: indices.entries(of: upward, rank: sample.rank))
  }
}

/// Euler's method along the flow that a flow-matching network predicts (Lipman et al.,
/// arXiv:2210.02747; as in Stable Diffusion 3, arXiv:2403.03206).
public struct FlowMatchingEulerSampler: MarkovSampler {
  /// sigma times the schedule's `timeStepCount`, noisiest first.
  public let timeSteps: [Float]
  /// sigma before each step, and 0.
  public let noiseLevels: [Float]

  /// - Parameters:
  ///   - schedule: the noise levels of training.
  ///   - count: the number of steps.
  public init(_ schedule: FlowSchedule, count: Int) {
    precondition(count > 0, "a sampler needs at least one step")
    noiseLevels = schedule.noiseLevels(count: count)
    timeSteps = noiseLevels.dropLast().map { $0 * Float(schedule.timeStepCount) }
  }

  /// x + (sigma_next - sigma) flow; deterministic.
  public func transition(
    from sample: Tensor, prediction: Tensor, at indices: Broadcast<Int>
  ) -> Transition {
    let sigma = indices.entries(of: noiseLevels, rank: sample.rank)
    let next = indices.map { $0 + 1 }.entries(of: noiseLevels, rank: sample.rank)
    return Transition(mean: sample + (next - sigma) * prediction)
  }
}

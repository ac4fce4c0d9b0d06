import Foundation
import Tensors

/// DPM-Solver++ of first to third order with multiple steps (Lu et al., arXiv:2211.01095, algorithms
/// 2 and 3 and appendix B.4): few steps, deterministic, or with fresh noise at each.
///
/// The paper's symbols: alpha and sigma scale the signal and the noise of x_t; lambda = ln(alpha /
/// sigma); h is the step in lambda; D0, D1, D2 are the last estimate of x_0 and its divided
/// differences.
///
/// From the second order on a step depends on earlier ones. The variant with noise therefore has
/// densities while a chain is drawn, but not for recorded transitions in any order: neither can be
/// fine-tuned by policy gradients.
public struct DPMSolverSampler: Sampler {
  /// The order of the solver.
  public enum Order: Int, Sendable, CaseIterable, Codable {
    /// DDIM without noise.
    case first = 1
    /// 2M.
    case second = 2
    /// 3M, for guidance near 1.
    case third = 3
  }

  /// How the second order takes in the slope of the estimates.
  public enum Correction: String, Sendable, CaseIterable, Codable {
    /// By its value in the middle of the step.
    case midpoint
    /// By the exact integral.
    case heun
  }

  /// The diffusion times, noisiest first.
  public let timeSteps: [Float]
  /// What the network predicts.
  public let predictionType: PredictionType
  /// The order of all steps but the first and, as a rule, the last.
  public let order: Order
  /// How the second order takes in the slope.
  public let correction: Correction
  /// Whether steps draw noise: SDE-DPM-Solver++.
  public let isStochastic: Bool
  /// Dynamic thresholding of estimates of x_0.
  public let thresholding: DynamicThresholding?
  /// Whether the last step is of first order: always where it ends at a clean sample.
  private let hasFirstOrderEnd: Bool
  /// Whether the last but one is of second order at most.
  private let lowersOrderBeforeEnd: Bool
  private let signalScales: [Float]
  private let noiseScales: [Float]
  private let logRatios: [Float]

  /// - Parameters:
  ///   - schedule: the noise levels of training.
  ///   - count: the number of steps.
  ///   - predictionType: what the network predicts.
  ///   - spacing: how time steps are chosen from those of training.
  ///   - offset: added to the time steps; `steps_offset` in diffusers.
  ///   - order: the order of the solver.
  ///   - correction: how the second order takes in the slope; `solver_type`.
  ///   - isStochastic: whether steps draw noise, in orders 1 and 2; `sde-dpmsolver++`.
  ///   - sigmas: how noise levels are spaced, where not by the time steps.
  ///   - roundsTimeSteps: whether the time steps that fit such levels are rounded, not cut: diffusers
  ///     cuts those of exponential and beta levels, and all for a cosine schedule.
  ///   - minLogRatio: lambda of the noisiest step is at least this; `lambda_min_clipped`.
  ///   - lowersOrderAtEnd: makes the last of fewer than 15 steps one of first order and the one
  ///     before of second; `lower_order_final`.
  ///   - hasFirstOrderEnd: makes the last step one of first order; `euler_at_final`.
  ///   - endsAtCleanSample: ends at sigma = 0 rather than at the minimum level of the schedule;
  ///     `final_sigmas_type`.
  ///   - thresholding: of estimates of x_0.
  public init(
    _ schedule: NoiseSchedule, count: Int, predictionType: PredictionType = .noise,
    spacing: TimeStepSpacing = .linspace, offset: Int = 0, order: Order = .second,
    correction: Correction = .midpoint, isStochastic: Bool = false, sigmas: SigmaSpacing? = nil,
    roundsTimeSteps: Bool = true, minLogRatio: Float = -.infinity, lowersOrderAtEnd: Bool = true,
    hasFirstOrderEnd: Bool = false, endsAtCleanSample: Bool = true,
    thresholding: DynamicThresholding? = nil
  ) {
    precondition(
      !isStochastic || order != .third, "SDE-DPM-Solver++ has the orders 1 and 2")
    let levels = NoiseLevels.forSolver(
      schedule, count: count, spacing: spacing, offset: offset,
      lastTimeStep: Self.lastTimeStep(of: schedule, minLogRatio: minLogRatio), sigmas: sigmas,
      final: endsAtCleanSample ? 0 : NoiseLevels.table(schedule)[0],
      roundsTimeSteps: roundsTimeSteps)
    timeSteps = levels.timeSteps
    self.predictionType = predictionType
    self.order = order
    self.correction = correction
    self.isStochastic = isStochastic
    self.thresholding = thresholding
    lowersOrderBeforeEnd = lowersOrderAtEnd && timeSteps.count < 15
    self.hasFirstOrderEnd = endsAtCleanSample || hasFirstOrderEnd || lowersOrderBeforeEnd
    signalScales = levels.sigmas.map { 1 / ($0 * $0 + 1).squareRoot() }
    noiseScales = zip(levels.sigmas, signalScales).map { $0 * $1 }
    logRatios = zip(signalScales, noiseScales).map { logf($0) - logf($1) }
  }

  /// One more than the noisiest time step whose lambda is not below a bound.
  package static func lastTimeStep(of schedule: NoiseSchedule, minLogRatio: Float) -> Int {
    NoiseLevels.table(schedule).count { -logf($0) >= minLogRatio }
  }

  /// One step in lambda, extrapolating the estimates of x_0.
  public func transition(
    from sample: Tensor, prediction: Tensor, at index: Int, memory: inout SamplerMemory
  ) -> Transition {
    // 1. The estimate of x_0.
    let estimate = predictionType.estimate(
      prediction, sample: sample, signalScale: Tensor(signalScales[index]),
      noiseScale: Tensor(noiseScales[index])
    ).limited(to: nil, or: thresholding)
    memory.remember(estimate, atMost: order.rawValue)
    // 2. D0: x_next = (sigma_next / sigma) x - alpha_next (exp(-h) - 1) D0. With noise, the sample
    //    fades twice as fast, and what is lost of it is drawn anew.
    let step = logRatios[index + 1] - logRatios[index]
    let decay = isStochastic ? 2 * step : step
    let fade = expf(-decay)
    let signal = signalScales[index + 1]
    let sampleScale =
      noiseScales[index + 1] / noiseScales[index] * (isStochastic ? expf(-step) : 1)
    var mean = sample * sampleScale - estimate * (signal * (fade - 1))
    // 3. D1 and D2, as far as earlier estimates go.
    let order = order(at: index)
    if order > 1 {
      mean =
        mean
        + corrections(of: estimate, at: index, order: order, memory: memory, decay: decay)
    }
    // 4. The noise.
    let std = isStochastic ? noiseScales[index + 1] * (1 - fade).squareRoot() : 0
    return Transition(mean: mean, standardDeviation: std > 0 ? Tensor(std) : nil)
  }

  /// Lower at the start, where there are no earlier estimates, and at the end.
  private func order(at index: Int) -> Int {
    let remaining = timeSteps.count - index
    if remaining == 1 && hasFirstOrderEnd { return 1 }
    let limit = remaining == 2 && lowersOrderBeforeEnd ? 2 : 3
    return min(order.rawValue, index + 1, limit)
  }

  private func corrections(
    of estimate: Tensor, at index: Int, order: Int, memory: SamplerMemory, decay: Float
  ) -> Tensor {
    let signal = signalScales[index + 1]
    let fade = expf(-decay)
    let step = logRatios[index + 1] - logRatios[index]
    let ratio = (logRatios[index] - logRatios[index - 1]) / step
    let slope = (estimate - memory.output(1)) * (1 / ratio)
    let integral = signal * ((fade - 1) / decay + 1)
    guard order > 2 else {
      return slope * (correction == .midpoint ? -0.5 * (signal * (fade - 1)) : integral)
    }
    let earlierRatio = (logRatios[index - 1] - logRatios[index - 2]) / step
    let earlierSlope = (memory.output(1) - memory.output(2)) * (1 / earlierRatio)
    let change = (slope - earlierSlope) * (1 / (ratio + earlierRatio))
    return (slope + change * ratio) * integral
      - change * (signal * ((fade - 1 + decay) / (decay * decay) - 0.5))
  }
}

import Foundation
import Tensors

/// DPM-Solver++ of first and second order with multiple steps (Lu et al., arXiv:2211.01095,
/// algorithm 2, midpoint form): few steps, deterministic.
///
/// The paper's symbols: alpha and sigma scale the signal and the noise of x_t; lambda = ln(alpha /
/// sigma); h is the step in lambda; D is the combination of this and the last estimate of x_0.
public struct DPMSolverSampler: Sampler {
  /// The order of the solver.
  public enum Order: Int, Sendable, CaseIterable, Codable {
    /// DDIM without noise.
    case first = 1
    /// 2M.
    case second = 2
  }

  /// The diffusion times, noisiest first.
  public let timeSteps: [Float]
  /// What the network predicts.
  public let predictionType: PredictionType
  /// The order of all steps but the first and, as a rule, the last.
  public let order: Order
  /// Whether the last step is of first order: always where it ends at a clean sample.
  private let hasFirstOrderEnd: Bool
  private let signalScales: [Float]
  private let noiseScales: [Float]
  private let logRatios: [Float]

  /// - Parameters:
  ///   - schedule: the noise levels of training.
  ///   - predictionType: what the network predicts.
  ///   - spacing: how time steps are chosen from those of training.
  ///   - offset: added to the time steps; `steps_offset` in diffusers.
  ///   - order: the order of the solver.
  ///   - count: the number of steps.
  ///   - usesKarrasSigmas: spaces noise levels by Karras et al., arXiv:2206.00364, equation 5.
  ///   - lowersOrderAtEnd: makes the last of fewer than 15 steps one of first order;
  ///     `lower_order_final`.
  ///   - endsAtCleanSample: ends at sigma = 0 rather than at the minimum level of the schedule;
  ///     `final_sigmas_type`.
  public init(
    _ schedule: NoiseSchedule, count: Int, predictionType: PredictionType = .noise,
    spacing: TimeStepSpacing = .linspace, offset: Int = 0, order: Order = .second,
    usesKarrasSigmas: Bool = false, lowersOrderAtEnd: Bool = true, endsAtCleanSample: Bool = true
  ) {
    let table = NoiseLevels.table(schedule)
    let final = endsAtCleanSample ? 0 : table[0]
    let levels: NoiseLevels
    if usesKarrasSigmas {
      levels = NoiseLevels(
        karras: schedule, from: Double(table[table.count - 1]), to: Double(table[0]),
        count: count, final: final, roundTimeSteps: { $0.rounded(.toNearestOrEven) })
    } else {
      levels = NoiseLevels(
        schedule, at: Self.positions(spacing, count, of: schedule.timeStepCount, offset: offset),
        final: final)
    }
    timeSteps = levels.timeSteps
    self.predictionType = predictionType
    self.order = order
    hasFirstOrderEnd = endsAtCleanSample || (lowersOrderAtEnd && count < 15)
    signalScales = levels.sigmas.map { 1 / ($0 * $0 + 1).squareRoot() }
    noiseScales = zip(levels.sigmas, signalScales).map { $0 * $1 }
    logRatios = zip(signalScales, noiseScales).map { logf($0) - logf($1) }
  }

  /// Leading and evenly spaced time steps leave room for the end: the cleanest of N + 1 is dropped.
  private static func positions(
    _ spacing: TimeStepSpacing, _ count: Int, of timeStepCount: Int, offset: Int
  ) -> [Double] {
    switch spacing {
    case .trailing:
      return spacing.timeSteps(count, of: timeStepCount).map(Double.init)
    case .leading, .linspace:
      return spacing.timeSteps(count + 1, of: timeStepCount, offset: offset).dropLast()
        .map(Double.init)
    }
  }

  /// One step in lambda, extrapolating the estimates of x_0; deterministic.
  public func transition(
    from sample: Tensor, prediction: Tensor, at index: Int, memory: inout SamplerMemory
  ) -> Transition {
    // 1. The estimate of x_0.
    let estimate = predictionType.estimate(
      prediction, sample: sample, signalScale: Tensor(signalScales[index]),
      noiseScale: Tensor(noiseScales[index]))
    let previousEstimate = memory.previousEstimate
    memory.previousEstimate = estimate
    // 2. x_next = (sigma_next / sigma) x - alpha_next (exp(-h) - 1) D
    let step = logRatios[index + 1] - logRatios[index]
    let sampleScale = noiseScales[index + 1] / noiseScales[index]
    let estimateScale = signalScales[index + 1] * (expf(-step) - 1)
    let first = sample * sampleScale - estimate * estimateScale
    // 3. The second order corrects D by half the slope of the estimates.
    let isLast = index == timeSteps.count - 1
    guard order == .second, let previousEstimate, !(isLast && hasFirstOrderEnd) else {
      return Transition(mean: first)
    }
    let ratio = (logRatios[index] - logRatios[index - 1]) / step
    let slope = (estimate - previousEstimate) * (1 / ratio)
    return Transition(mean: first - slope * (0.5 * estimateScale))
  }
}

import Foundation
import NeuralNetworks
import Tensors

/// Denoising diffusion implicit models (Song et al., arXiv:2010.02502, equation 12): eta = 0 draws
/// no noise, eta = 1 has the variance of DDPM.
public struct DDIMSampler: MarkovSampler {
  /// The fraction of DDPM's standard deviation in each transition.
  public enum Eta: Sendable {
    /// The same for all.
    case fixed(Float)
    /// A parameter (DPPO).
    case learned(LearnedEta)
  }

  /// Where a step from time step t leads.
  public enum PreviousTimeStep: String, Sendable, Codable {
    /// To the next of the sampler's time steps.
    case following
    /// To t - T / N whatever the spacing, as diffusers does; the two differ for linspace, and
    /// slightly for trailing if N does not divide T.
    case strided
  }

  /// The diffusion times, noisiest first.
  public let timeSteps: [Float]
  /// What the network predicts.
  public let predictionType: PredictionType
  /// How much noise is drawn; training and evaluation may differ in it.
  public var eta: Eta
  /// Estimates of x_0 are clamped to +- this.
  public let estimateLimit: Float?
  /// Dynamic thresholding of estimates of x_0, in place of `estimateLimit`.
  public let thresholding: DynamicThresholding?
  /// Whether the noise is recomputed from the clamped estimate of x_0, as in DPPO;
  /// `use_clipped_model_output` in diffusers.
  public let recomputesNoise: Bool
  /// Estimates of the noise are clamped to +- this; `eps_clip_value` in DPPO.
  public let noiseLimit: Float?
  private let signalScales: [Float]
  private let noiseScales: [Float]
  private let previousAlphaBars: [Float]
  private let previousSignalScales: [Float]
  /// DDPM's standard deviations, for eta = 1.
  private let fullStds: [Float]

  /// - Parameters:
  ///   - schedule: the noise levels of training.
  ///   - predictionType: what the network predicts.
  ///   - spacing: how time steps are chosen from those of training.
  ///   - eta: how much of DDPM's noise is drawn.
  ///   - estimateLimit: estimates of x_0 are clamped to +- this.
  ///   - thresholding: in place of `estimateLimit`.
  ///   - recomputesNoise: whether the noise follows the clamped estimate of x_0.
  ///   - noiseLimit: estimates of the noise are clamped to +- this.
  ///   - previousTimeStep: where a step leads.
  ///   - count: the number of denoising steps.
  ///   - offset: `steps_offset` in diffusers.
  ///   - endsAtCleanSample: whether the last step leads to alphaBar = 1 rather than alphaBar_0;
  ///     `set_alpha_to_one` in diffusers.
  public init(
    _ schedule: NoiseSchedule, count: Int, predictionType: PredictionType = .noise,
    spacing: TimeStepSpacing = .leading, offset: Int = 0, eta: Eta = .fixed(0),
    estimateLimit: Float? = nil, thresholding: DynamicThresholding? = nil,
    recomputesNoise: Bool = false, noiseLimit: Float? = nil,
    endsAtCleanSample: Bool = true, previousTimeStep: PreviousTimeStep = .following
  ) {
    let times = spacing.timeSteps(count, of: schedule.timeStepCount, offset: offset)
    timeSteps = times.map { Float($0) }
    self.predictionType = predictionType
    self.eta = eta
    self.estimateLimit = estimateLimit
    self.thresholding = thresholding
    self.recomputesNoise = recomputesNoise
    self.noiseLimit = noiseLimit
    (signalScales, noiseScales) = schedule.scales(at: times, predictionType: predictionType)
    let stride = schedule.timeStepCount / count
    let previousAlphaBars = times.indices.map { index in
      let previous =
        switch previousTimeStep {
        case .following: index + 1 < times.count ? times[index + 1] : -1
        case .strided: times[index] - stride
        }
      if previous >= 0 { return schedule.cumulativeAlphas[previous] }
      return endsAtCleanSample ? 1 : schedule.cumulativeAlphas[0]
    }
    self.previousAlphaBars = previousAlphaBars
    previousSignalScales = previousAlphaBars.map { $0.squareRoot() }
    // sigma(eta = 1), equation 16.
    fullStds = times.indices.map { index in
      let (alphaBar, previous) = (schedule.cumulativeAlphas[times[index]], previousAlphaBars[index])
      let variance = (1 - previous) / (1 - alphaBar) * (1 - alphaBar / previous)
      return max(variance, 0).squareRoot()
    }
  }

  /// The numbers of the transition at an index of `timeSteps`; eta must not be a learned one.
  public func coefficients(at index: Int) -> SamplingCoefficients {
    guard case .fixed(let eta) = eta else {
      preconditionFailure("a learned eta has no numbers that stay")
    }
    return SamplingCoefficients(
      signalScale: signalScales[index], noiseScale: noiseScales[index],
      estimate: previousSignalScales[index], sample: 0, noise: direction(at: index, eta: eta))
  }

  /// What a standard deviation of eta times DDPM's leaves of the noise.
  private func direction(at index: Int, eta: Float) -> Float {
    let std = fullStds[index] * eta
    return max(1 - previousAlphaBars[index] - std * std, 0).squareRoot()
  }

  /// sqrt(previous alphaBar) x_0 + sqrt(1 - previous alphaBar - sigma^2) e, with standard deviation
  /// sigma.
  public func transition(
    from sample: Tensor, prediction: Tensor, at indices: Broadcast<Int>
  ) -> Transition {
    let rank = sample.rank
    let signalScale = indices.entries(of: signalScales, rank: rank)
    let noiseScale = indices.entries(of: noiseScales, rank: rank)
    // 1. The estimates of x_0 and of the noise.
    let estimate = predictionType.estimate(
      prediction, sample: sample, signalScale: signalScale, noiseScale: noiseScale
    ).limited(to: estimateLimit, or: thresholding)
    let noise =
      recomputesNoise
      ? (sample - signalScale * estimate) / noiseScale
      : predictionType.noise(
        prediction, sample: sample, signalScale: signalScale, noiseScale: noiseScale)
    // 2. The standard deviation, and what it leaves of the noise.
    let (std, direction) = spread(at: indices, rank: rank)
    // 3. The mean: towards x_0, and back along the noise.
    let mean =
      indices.entries(of: previousSignalScales, rank: rank) * estimate
      + direction * noise.limited(to: noiseLimit)
    return Transition(mean: mean, standardDeviation: std)
  }

  /// sigma = eta times DDPM's standard deviation, nil if that is 0 for all rows, and
  /// sqrt(1 - previous alphaBar - sigma^2).
  private func spread(
    at indices: Broadcast<Int>, rank: Int
  ) -> (std: Tensor?, direction: Tensor) {
    switch eta {
    case .fixed(let eta):
      // Numbers only: no tensor operations for what is known beforehand.
      let stds = indices.map { fullStds[$0] * eta }
      let directions = indices.map { direction(at: $0, eta: eta) }
      let isDeterministic = stds.allSatisfy { $0 == 0 }
      return (
        isDeterministic ? nil : stds.tensor(rank: rank), directions.tensor(rank: rank)
      )
    case .learned(let eta):
      // As in the reference, never quite 0.
      let std = Tensor.maximum(
        indices.entries(of: fullStds, rank: rank) * eta.value, Tensor(1e-10))
      let previousAlphaBar = indices.entries(of: previousAlphaBars, rank: rank)
      let left = 1 - previousAlphaBar - std.squared()
      // Nor is this: at 0, the gradient of a square root has no limit.
      return (std, Tensor.maximum(left, Tensor(1e-20)).squareRoot())
    }
  }
}

/// DDIM's eta as a parameter: one number, or one for each action dimension, between two bounds.
///
/// The name of the weight and the mapping are those of DPPO's `EtaFixed` and `EtaAction`.
public final class LearnedEta: Module {
  /// `eta_logit` `[1]` or `[Da]`
  public let logit: Parameter
  private let range: ClosedRange<Float>

  /// - Parameters:
  ///   - range: the bounds of eta.
  ///   - size: 1, or the action size.
  ///   - initial: strictly inside `range`.
  public init(size: Int = 1, initial: Float = 0.5, range: ClosedRange<Float> = 0.1...1) {
    precondition(
      initial > range.lowerBound && initial < range.upperBound,
      "eta starts at \(initial), which is not inside \(range)")
    let normalized = 2 * (initial - range.lowerBound) / (range.upperBound - range.lowerBound) - 1
    logit = Parameter(Tensor(repeating: atanhf(normalized), shape: [size]))
    self.range = range
  }

  /// eta `[1]` or `[Da]`, differentiable.
  public var value: Tensor {
    let width = range.upperBound - range.lowerBound
    return (logit.tensor.tanh() + 1) * (0.5 * width) + range.lowerBound
  }

  /// `eta_logit`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("eta_logit", logit)
  }
}

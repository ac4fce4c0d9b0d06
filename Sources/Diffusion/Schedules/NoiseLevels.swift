import Foundation
import Tensors

/// The noise levels sigma = sqrt((1 - alphaBar) / alphaBar) that an ODE solver steps through.
struct NoiseLevels {
  /// What the network is told at each level, noisiest first.
  let timeSteps: [Float]
  /// One more than there are time steps; the last is where the sample ends.
  let sigmas: [Float]

  /// - Parameters:
  ///   - positions: time steps, not necessarily whole.
  ///   - final: the level at the end, 0 as a rule.
  init(_ schedule: NoiseSchedule, at positions: [Double], final: Float = 0) {
    let table = Self.table(schedule)
    timeSteps = positions.map { Float($0) }
    sigmas = positions.map { Float(Self.interpolate(table, at: Double(Float($0)))) } + [final]
  }

  /// Levels that are spaced by a rule of their own, with the time steps that fit them.
  ///
  /// - Parameters:
  ///   - maximum: the greatest level of the schedule, where the rule has none of its own.
  ///   - minimum: the smallest.
  ///   - count: levels above the end.
  ///   - final: the level at the end; that of the last step if nil.
  ///   - roundTimeSteps: how the time steps that fit the levels are told to the network.
  init(
    _ spacing: SigmaSpacing, of schedule: NoiseSchedule, from maximum: Double, to minimum: Double,
    count: Int, final: Float? = 0, roundTimeSteps: (Double) -> Double = { $0 }
  ) {
    let levels = spacing.levels(from: maximum, to: minimum, count: count)
    let logarithms = Self.table(schedule).map { Double(logf($0)) }
    timeSteps = levels.map { Float(roundTimeSteps(Self.timeStep(of: $0, in: logarithms))) }
    sigmas = levels.map { Float($0) } + [final ?? Float(levels[count - 1])]
  }

  /// sigma at each of the schedule's time steps, finite.
  static func table(_ schedule: NoiseSchedule) -> [Float] {
    schedule.cumulativeAlphas.map { alphaBar in
      // Pure noise has no finite level; this one is diffusers'.
      let alphaBar = alphaBar == 0 ? 0x1p-24 : alphaBar
      return ((1 - alphaBar) / alphaBar).squareRoot()
    }
  }

  /// Linear between the table's entries, constant beyond its ends.
  static func interpolate(_ table: [Float], at position: Double) -> Double {
    let last = table.count - 1
    guard position < Double(last) else { return Double(table[last]) }
    let low = Int(max(0, position))
    let (a, b) = (Double(table[low]), Double(table[low + 1]))
    return (b - a) * (position - Double(low)) + a
  }

  /// The time step of a level, by interpolating its logarithm.
  private static func timeStep(of level: Double, in logarithms: [Double]) -> Double {
    let logarithm = log(max(level, 1e-10))
    let below = (logarithms.lastIndex { $0 <= logarithm }) ?? 0
    let low = min(below, logarithms.count - 2)
    let span = logarithms[low] - logarithms[low + 1]
    let weight = min(max((logarithms[low] - logarithm) / span, 0), 1)
    return (1 - weight) * Double(low) + weight * Double(low + 1)
  }
}

extension NoiseLevels {
  /// The levels of the solvers that keep an unscaled sample.
  static func forODE(
    _ schedule: NoiseSchedule, count: Int, spacing: TimeStepSpacing, offset: Int,
    sigmas: SigmaSpacing? = nil, final: Float = 0
  ) -> NoiseLevels {
    let positions = spacing.positions(count, of: schedule.timeStepCount, offset: offset)
    let levels = NoiseLevels(schedule, at: positions, final: final)
    guard let sigmas else { return levels }
    let table = table(schedule)
    // The ends in double precision, before rounding.
    func level(_ position: Double) -> Double {
      interpolate(table, at: Double(Float(position)))
    }
    return NoiseLevels(
      sigmas, of: schedule, from: level(positions[0]), to: level(positions[count - 1]),
      count: count, final: final)
  }

  /// The levels of the solvers in lambda (DPM-Solver++, UniPC), whose time steps are whole.
  ///
  /// - Parameters:
  ///   - lastTimeStep: time steps are below this.
  ///   - final: the level at the end; that of the last step if nil, or where there is no rule of
  ///     spacing the smallest of the schedule.
  ///   - roundsTimeSteps: whether the time steps that fit the levels are rounded, not cut.
  static func forSolver(
    _ schedule: NoiseSchedule, count: Int, spacing: TimeStepSpacing, offset: Int,
    lastTimeStep: Int, sigmas: SigmaSpacing?, final: Float?, roundsTimeSteps: Bool
  ) -> NoiseLevels {
    let table = table(schedule)
    guard let sigmas else {
      let positions = spacing.solverTimeSteps(
        count, of: schedule.timeStepCount, upTo: lastTimeStep, offset: offset)
      return NoiseLevels(schedule, at: positions, final: final ?? table[0])
    }
    return NoiseLevels(
      sigmas, of: schedule, from: Double(table[table.count - 1]), to: Double(table[0]),
      count: count, final: final
    ) { roundsTimeSteps ? $0.rounded(.toNearestOrEven) : $0.rounded(.down) }
  }

  /// The maximum level where the first time step is the noisiest of all; otherwise the standard
  /// deviation of y at that level.
  func initialNoiseScale(_ spacing: TimeStepSpacing) -> Float {
    let maximum = sigmas.max() ?? 1
    switch spacing {
    case .linspace, .trailing: return maximum
    case .leading: return (maximum * maximum + 1).squareRoot()
    }
  }
}

/// The straight path of flow matching: x_sigma = (1 - sigma) x_0 + sigma e (Lipman et al.,
/// arXiv:2210.02747; Liu et al., arXiv:2209.03003), with the network predicting the flow e - x_0.
public struct FlowSchedule: Sendable, Equatable {
  /// The time step that the network sees is sigma times this.
  public let timeStepCount: Int
  /// Moves steps to the noisy side where it is above 1: sigma = shift s / (1 + (shift - 1) s)
  /// (Esser et al., arXiv:2403.03206, equation 23).
  public let shift: Float

  /// The schedule of a flow-matching model.
  public init(timeStepCount: Int = 1000, shift: Float = 1) {
    precondition(timeStepCount > 0 && shift > 0, "a flow schedule needs time steps and a shift")
    self.timeStepCount = timeStepCount
    self.shift = shift
  }

  /// sigma at an unshifted position, 0 for the clean sample and 1 for pure noise.
  public func noiseLevel(at position: Float) -> Float { Float(shifted(Double(position))) }

  private func shifted(_ position: Double) -> Double {
    Double(shift) * position / (1 + (Double(shift) - 1) * position)
  }

  /// Noise levels for `count` Euler steps, noisiest first, and 0 at the end.
  ///
  /// diffusers shifts the ends of the range and then every step once more; its values are kept.
  func noiseLevels(count: Int) -> [Float] {
    let maximum = Double(noiseLevel(at: 1))
    let minimum = Double(noiseLevel(at: 1 / Float(timeStepCount)))
    let spacing = count > 1 ? (minimum - maximum) / Double(count - 1) : 0
    return (0..<count).map { Float(shifted(maximum + spacing * Double($0))) } + [0]
  }

  /// (1 - sigma) x_0 + sigma e
  ///
  /// - Parameters:
  ///   - noiseLevels: those to come near to.
  ///   - sample: x_0 `[B, ...]`
  ///   - noise: e `[B, ...]`
  public func noisySample(
    _ sample: Tensor, noise: Tensor, noiseLevels: Broadcast<Float>
  ) -> Tensor {
    let sigma = noiseLevels.tensor(rank: sample.rank)
    return (1 - sigma) * sample + sigma * noise
  }

  /// The flow e - x_0 that a network should predict.
  public func target(sample: Tensor, noise: Tensor) -> Tensor { noise - sample }
}

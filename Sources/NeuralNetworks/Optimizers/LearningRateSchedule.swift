import Foundation

/// A learning rate as a function of the number of steps taken.
public enum LearningRateSchedule: Sendable, Hashable {
  /// Always the same.
  case constant(Double)
  /// From `initial` to `final` along half a cosine over `stepCount` steps, then constant (SGDR
  /// without restarts, Loshchilov and Hutter, arXiv:1608.03983, equation 5).
  case cosine(initial: Double, final: Double, stepCount: Int)
  /// Cycles of linear warm-up and cosine decay; each cycle is `cycleFactor` times as long as the
  /// one before and peaks `peakFactor` times as high.
  case warmRestarts(WarmRestarts)

  /// The parameters of a schedule of cycles.
  public struct WarmRestarts: Sendable, Hashable {
    /// The first cycle's highest rate.
    public var maximum: Double
    /// The rate at which every cycle begins and ends.
    public var minimum: Double
    /// Steps in the first cycle, warm-up included.
    public var firstCycleStepCount: Int
    /// Steps of linear warm-up in each cycle.
    public var warmUpStepCount: Int
    /// The growth of cycles.
    public var cycleFactor: Double
    /// The growth of peaks.
    public var peakFactor: Double

    /// A schedule of equal cycles without warm-up unless told otherwise.
    public init(
      maximum: Double, minimum: Double, firstCycleStepCount: Int, warmUpStepCount: Int = 0,
      cycleFactor: Double = 1, peakFactor: Double = 1
    ) {
      precondition(
        firstCycleStepCount > warmUpStepCount && warmUpStepCount >= 0 && cycleFactor >= 1,
        "a cycle of \(firstCycleStepCount) steps must be longer than its warm-up")
      self.maximum = maximum
      self.minimum = minimum
      self.firstCycleStepCount = firstCycleStepCount
      self.warmUpStepCount = warmUpStepCount
      self.cycleFactor = cycleFactor
      self.peakFactor = peakFactor
    }

    func rate(atStep step: Int) -> Double {
      var position = step
      var length = firstCycleStepCount
      var peak = maximum
      while position >= length {
        position -= length
        length =
          warmUpStepCount + Int(Double(length - warmUpStepCount) * cycleFactor)
        peak *= peakFactor
      }
      if position < warmUpStepCount {
        return minimum + (peak - minimum) * Double(position) / Double(warmUpStepCount)
      }
      let progress =
        Double(position - warmUpStepCount) / Double(length - warmUpStepCount)
      return minimum + (peak - minimum) * (1 + cos(.pi * progress)) / 2
    }
  }

  /// The rate for the step after `step` steps.
  public func rate(atStep step: Int) -> Double {
    switch self {
    case .constant(let rate):
      return rate
    case .cosine(let initial, let final, let stepCount):
      let progress = min(1, Double(step) / Double(max(stepCount, 1)))
      return final + (initial - final) * (1 + cos(.pi * progress)) / 2
    case .warmRestarts(let cycles):
      return cycles.rate(atStep: step)
    }
  }
}

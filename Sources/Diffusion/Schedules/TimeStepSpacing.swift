import Foundation

/// Which of a model's T training time steps a sampler visits (Lin et al., arXiv:2305.08891, table
/// 2).
public enum TimeStepSpacing: String, Sendable, CaseIterable, Codable {
  /// Every (T / N)-th from `offset` up: leaves out the noisiest.
  case leading
  /// Every (T / N)-th from T - 1 down: leaves out the cleanest.
  case trailing
  /// N evenly from 0 to T - 1, both included.
  case linspace

  /// `count` time steps, noisiest first.
  ///
  /// - Parameters:
  ///   - count: N.
  ///   - timeStepCount: T.
  ///   - offset: added where the spacing is leading; `steps_offset` in diffusers.
  public func timeSteps(_ count: Int, of timeStepCount: Int, offset: Int = 0) -> [Int] {
    positions(count, of: timeStepCount, offset: offset).map { Int($0.rounded(.toNearestOrEven)) }
  }

  /// As `timeSteps`, but evenly spaced ones are not rounded: solvers that interpolate noise levels
  /// take them as they are.
  func positions(_ count: Int, of timeStepCount: Int, offset: Int) -> [Double] {
    precondition(
      (1...timeStepCount).contains(count),
      "cannot take \(count) of a model's \(timeStepCount) time steps")
    let ascending: [Double]
    switch self {
    case .leading:
      let stride = timeStepCount / count
      precondition(
        offset >= 0 && (count - 1) * stride + offset < timeStepCount,
        "an offset of \(offset) leads past the last of \(timeStepCount) time steps")
      ascending = (0..<count).map { Double($0 * stride + offset) }
    case .trailing:
      let stride = Double(timeStepCount) / Double(count)
      return (0..<count).map { index in
        (Double(timeStepCount) - Double(index) * stride).rounded(.toNearestOrEven) - 1
      }
    case .linspace:
      let stride = count > 1 ? Double(timeStepCount - 1) / Double(count - 1) : 0
      ascending = (0..<count).map { Double($0) * stride }
    }
    return ascending.reversed()
  }
}

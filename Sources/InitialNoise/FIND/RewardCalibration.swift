import Foundation

/// Makes advantages of rewards: r* = (r - g) / scale.
enum RewardCalibration {
  /// Each reward less the mean of the others.
  static func leaveOneOut(_ rewards: [Float]) -> [Float] {
    guard rewards.count > 1 else { return rewards.map { _ in 0 } }
    let mean = rewards.reduce(0.0) { $0 + Double($1) } / Double(rewards.count)
    let factor = Double(rewards.count) / Double(rewards.count - 1)
    return rewards.map { Float((Double($0) - mean) * factor) }
  }

  /// Ranks with mean 0 and standard deviation about 1; equal rewards share their rank.
  static func ranks(_ rewards: [Float]) -> [Float] {
    let sorted = rewards.sorted()
    let count = Float(rewards.count)
    return rewards.map { reward in
      let below = Float(sorted.count { $0 < reward })
      let equal = Float(sorted.count { $0 == reward })
      return ((below + equal / 2) / count - 0.5) * Float(12).squareRoot()
    }
  }

  /// The standard deviation of rewards; nil if they are too few, or equal as far as can be told.
  static func deviation(of rewards: [Float]) -> Float? {
    guard rewards.count > 1 else { return nil }
    let mean = rewards.reduce(0.0) { $0 + Double($1) } / Double(rewards.count)
    let squares = rewards.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    let deviation = (squares / Double(rewards.count - 1)).squareRoot()
    return deviation > 1e-6 * max(1e-6, abs(mean)) ? Float(deviation) : nil
  }
}

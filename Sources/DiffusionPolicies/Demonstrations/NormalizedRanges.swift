extension Demonstrations {
  /// Rounding in a normalized file.
  private static let tolerance: Float = 1e-5
  /// DPPO's scripts add 1e-6 to every range, so that the largest value falls short of 1 by more, the
  /// smaller the range was.
  private static let leastMaximum: Float = 0.99

  /// Whether all states and actions lie within [-1, 1], and each of their components touches both
  /// ends or is the constant -1: what DPPO's scripts make of any data.
  var touchesUnitRange: Bool {
    Self.touchesUnitRange(states, size: stateSize)
      && Self.touchesUnitRange(actions, size: actionSize)
  }

  private static func touchesUnitRange(_ values: [Float], size: Int) -> Bool {
    var (low, high) = (
      [Float](repeating: .infinity, count: size), [Float](repeating: -.infinity, count: size)
    )
    for (index, value) in values.enumerated() {
      guard abs(value) <= 1 + tolerance else { return false }
      low[index % size] = min(low[index % size], value)
      high[index % size] = max(high[index % size], value)
    }
    let touching = zip(low, high).map { $0 <= -1 + tolerance && $1 >= leastMaximum }
    let constant = zip(low, high).map { $1 <= -1 + tolerance && $0 <= $1 }
    return touching.contains(true) && zip(touching, constant).allSatisfy { $0 || $1 }
  }

  /// How many numbers lie outside of [-1, 1], where those of a normalized file lie.
  var countOutsideUnitRange: Int {
    let limit = 1 + Self.tolerance
    return (states + actions).count { abs($0) > limit }
  }
}

import Glibc

/// One axis of a chart: its range, and where on it ticks go.
struct ChartAxis {
  struct Tick: Equatable {
    var value: Double
    /// Empty for the small ticks of a logarithmic axis.
    var label: String
  }

  let scale: LineChart.Scale
  let lower: Double
  let upper: Double

  /// - Parameter margin: how much to widen the range of the data, as a part of it.
  init(
    scale: LineChart.Scale, values: some Sequence<Double>, range: ClosedRange<Double>?,
    margin: Double
  ) {
    self.scale = scale
    let shown = values.lazy.filter { ChartAxis.isDrawable($0, scale: scale) }
    let data = shown.reduce(into: (Double.infinity, -Double.infinity)) {
      $0 = (min($0.0, $1), max($0.1, $1))
    }
    let asked = range.flatMap {
      ChartAxis.isDrawable($0.lowerBound, scale: scale)
        && ChartAxis.isDrawable($0.upperBound, scale: scale)
        ? ($0.lowerBound, $0.upperBound) : nil
    }
    let empty = scale == .linear ? (0.0, 1.0) : (0.1, 1.0)
    var (low, high) = asked ?? (data.0 <= data.1 ? data : empty)
    let part = asked == nil ? margin : 0
    switch scale {
    case .linear:
      // One value, or values that differ by rounding only, get room around them.
      let smallest = max(max(abs(low), abs(high)) * 1e-9, 1e-150)
      if !(high - low > smallest) {
        let room = abs(low) > 1e-150 ? abs(low) * 0.05 : 0.5
        (low, high) = (low - room, high + room)
      }
      let added = (high - low) * part
      (lower, upper) = (low - added, high + added)
    case .logarithmic:
      if !(high / low > 1 + 1e-9) { (low, high) = (low / 2, high * 2) }
      let factor = pow(high / low, part)
      (lower, upper) = (low / factor, high * factor)
    }
  }

  /// Whether a value has a place: finite (and not so large that differences overflow), and positive
  /// on a logarithmic axis.
  static func isDrawable(_ value: Double, scale: LineChart.Scale) -> Bool {
    abs(value) < 1e150 && (scale == .linear || value > 1e-150)
  }

  /// 0 at the lower end, 1 at the upper one.
  func position(_ value: Double) -> Double {
    switch scale {
    case .linear: (value - lower) / (upper - lower)
    case .logarithmic: log(value / lower) / log(upper / lower)
    }
  }

  /// About `count` ticks at round values.
  func ticks(count: Int) -> [Tick] {
    if scale == .logarithmic, upper / lower >= 8 { return decadeTicks(count: count) }
    let step = ChartAxis.roundStep((upper - lower) / Double(max(1, count)))
    let (first, last) = ((lower / step - 1e-9).rounded(.up), (upper / step + 1e-9).rounded(.down))
    let values = stride(from: first, through: last, by: 1).map { $0 * step }
    let labels = TickLabels(step: step, largest: values.map(abs).max() ?? 0)
    return values.map { Tick(value: $0, label: labels.text($0)) }
  }

  /// The minimum of 1, 2 and 5 times a power of ten that is not below `size`.
  private static func roundStep(_ size: Double) -> Double {
    let power = pow(10, log10(size).rounded(.down))
    return [1, 2, 5].map { $0 * power }.first { $0 >= size * (1 - 1e-9) } ?? 10 * power
  }

  private func decadeTicks(count: Int) -> [Tick] {
    let first = Int((log10(lower) - 1e-9).rounded(.down))
    let last = Int((log10(upper) + 1e-9).rounded(.down))
    // Every decade, or every second, third, ... one where they would crowd.
    let decadeStep = max(1, (last - first + count - 1) / max(1, count))
    var ticks: [Tick] = []
    for exponent in first...last {
      let decade = pow(10, Double(exponent))
      let isLabeled = (exponent - first) % decadeStep == 0
      if !isLabeled && decadeStep > 5 { continue }
      for digit in decadeStep == 1 ? Array(1...9) : [1] {
        let value = Double(digit) * decade
        guard value >= lower * (1 - 1e-9), value <= upper * (1 + 1e-9) else { continue }
        // Between few decades, 2 and 5 have labels too.
        let hasLabel =
          digit == 1 ? isLabeled : upper / lower <= 200 && (digit == 2 || digit == 5)
        ticks.append(
          Tick(value: value, label: hasLabel ? TickLabels.decade(digit, exponent: exponent) : ""))
      }
    }
    return ticks
  }
}

/// The numbers beside an axis, with the digits that its step needs.
struct TickLabels {
  private let divisor: Double
  private let suffix: String
  private let digitCount: Int

  /// - Parameter largest: the largest absolute value of a tick.
  init(step: Double, largest: Double) {
    let exponent = largest > 0 ? Int((log10(largest) + 1e-9).rounded(.down)) : 0
    let stepExponent = Int((log10(step) + 1e-9).rounded(.down))
    let power: Int
    switch exponent {
    case 15...: (power, suffix) = (exponent, "e\(exponent)")
    case 12...: (power, suffix) = (12, "T")
    case 9...: (power, suffix) = (9, "G")
    case 6...: (power, suffix) = (6, "M")
    case 4...: (power, suffix) = (3, "k")
    case (-3)...: (power, suffix) = (0, "")
    default: (power, suffix) = (exponent, "e\(exponent)")
    }
    divisor = pow(10, Double(power))
    digitCount = max(0, power - stepExponent)
  }

  func text(_ value: Double) -> String {
    let number = TickLabels.fixed(value / divisor, digitCount: digitCount)
    return number.allSatisfy { "0.-".contains($0) } ? "0" : number + suffix
  }

  /// A digit times a power of ten.
  static func decade(_ digit: Int, exponent: Int) -> String {
    switch exponent {
    case 15...: "\(digit)e\(exponent)"
    case 4...:
      "\(digit)" + String(repeating: "0", count: exponent % 3)
        + ["k", "M", "G", "T"][exponent / 3 - 1]
    case 0...: "\(digit)" + String(repeating: "0", count: exponent)
    case (-3)...: "0." + String(repeating: "0", count: -exponent - 1) + "\(digit)"
    default: "\(digit)e\(exponent)"
    }
  }

  /// A number with so many digits after the point, at most 15.
  static func fixed(_ value: Double, digitCount: Int) -> String {
    let digitCount = min(15, digitCount)
    let scaled = (abs(value) * pow(10, Double(digitCount))).rounded()
    guard scaled < 9e18 else { return "\(value)" }
    var digits = String(UInt64(scaled))
    if digitCount > 0 {
      digits = String(repeating: "0", count: max(0, digitCount + 1 - digits.count)) + digits
      digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -digitCount))
    }
    return (value < 0 && scaled > 0 ? "-" : "") + digits
  }
}

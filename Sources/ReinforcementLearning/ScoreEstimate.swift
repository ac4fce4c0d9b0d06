/// A mean with its standard error.
public struct ScoreEstimate: Codable, Equatable, Sendable {
  /// The mean.
  public var mean: Double
  /// Its standard error; 0 for one value.
  public var standardError: Double

  /// An estimate that is known already.
  public init(mean: Double, standardError: Double) {
    self.mean = mean
    self.standardError = standardError
  }

  /// The mean of one value of each of at least one element.
  public init<Element>(of elements: [Element], _ value: (Element) -> Double) {
    guard let estimate = ScoreEstimate(elements.map(value)) else {
      preconditionFailure("no elements to take the mean of")
    }
    self = estimate
  }

  /// The mean of independent values; nil if there are none.
  public init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.init(
      mean: mean, standardError: (squares / max(1, count - 1) / count).squareRoot())
  }
}

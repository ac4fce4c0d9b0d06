/// Where a run's time went, by named sections; it is stored in checkpoints, so that a resumed run
/// goes on counting.
public struct TimeBreakdown: Sendable, Codable, Equatable {
  /// Seconds by section.
  public private(set) var seconds: [String: Double] = [:]
  /// The sections in the order of their first use.
  public private(set) var sections: [String] = []

  /// What a checkpoint's metadata calls it.
  static let checkpointKey = "run.times"

  /// Starts with no time spent.
  public init() {}

  /// Runs `body` and counts its time for a section.
  public mutating func measure<Result, Failure: Error>(
    _ section: String, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let start = ContinuousClock.now
    defer { add(ContinuousClock.now - start, to: section) }
    return try body()
  }

  /// Counts time for a section.
  public mutating func add(_ duration: Duration, to section: String) {
    if seconds[section] == nil { sections.append(section) }
    seconds[section, default: 0] += duration / .seconds(1)
  }

  /// The seconds of all sections.
  public var total: Double { sections.reduce(0) { $0 + (seconds[$1] ?? 0) } }

  /// A line for each section with its time and fraction, and one for the sum.
  public var table: String {
    let total = total
    let names = sections + ["total"]
    let width = names.map(\.count).max() ?? 0
    let times = names.map { TimeText.precise($0 == "total" ? total : seconds[$0] ?? 0) }
    let timeWidth = times.map(\.count).max() ?? 0
    return zip(names, times).map { name, time in
      let part = name == "total" ? total : seconds[name] ?? 0
      let fraction = total > 0 ? Int((100 * part / total).rounded()) : 0
      let percent = "\(fraction)%"
      return name + String(repeating: " ", count: width - name.count + 2 + timeWidth - time.count)
        + time + String(repeating: " ", count: 6 - percent.count) + percent
    }.joined(separator: "\n")
  }
}

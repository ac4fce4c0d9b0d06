import Runs

/// Numbers of the iterations since the last line of metrics; kept in checkpoints, so that a run
/// that was stopped between two lines writes the line that it would have written.
struct MetricsWindow {
  private var sums: [String: Double] = [:]
  private var count = 0
  private static let countKey = "run.window.count"
  private static let sumPrefix = "run.window.sum."

  /// Goes on from what a checkpoint knew.
  init(resumed: Checkpoint?) {
    for (key, text) in resumed?.metadata ?? [:] {
      if key == Self.countKey {
        count = Int(text) ?? 0
      } else if key.hasPrefix(Self.sumPrefix) {
        sums[String(key.dropFirst(Self.sumPrefix.count))] = Double(text)
      }
    }
  }

  /// Adds an iteration.
  mutating func add(_ numbers: [String: Double]) {
    for (name, number) in numbers { sums[name, default: 0] += number }
    count += 1
  }

  /// Writes the means; the next window begins.
  mutating func flush(into record: inout MetricsRecord) {
    for (name, sum) in sums { record[name] = sum / Double(count) }
    sums = [:]
    count = 0
  }

  /// Lets a later run know the numbers.
  func store(in checkpoint: inout Checkpoint) {
    if count == 0 { return }
    checkpoint.metadata[Self.countKey] = String(count)
    for (name, sum) in sums { checkpoint.metadata[Self.sumPrefix + name] = String(sum) }
  }
}

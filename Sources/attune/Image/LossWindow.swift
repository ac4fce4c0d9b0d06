import Runs

/// The losses since the last line of metrics.
struct LossWindow {
  private var sum = 0.0
  private var count = 0
  private static let (sumKey, countKey) = ("run.lossSum", "run.lossCount")

  init() {}

  /// Goes on from what a checkpoint knew.
  init(_ checkpoint: Checkpoint) {
    sum = checkpoint.metadata[Self.sumKey].flatMap(Double.init) ?? 0
    count = checkpoint.metadata[Self.countKey].flatMap { Int($0) } ?? 0
  }

  mutating func add(_ loss: Double) {
    sum += loss
    count += 1
  }

  /// The mean; the next window begins.
  mutating func takeMean() -> Double {
    defer { self = LossWindow() }
    return sum / Double(max(1, count))
  }

  func store(in checkpoint: inout Checkpoint) {
    checkpoint.metadata[Self.sumKey] = String(sum)
    checkpoint.metadata[Self.countKey] = String(count)
  }
}

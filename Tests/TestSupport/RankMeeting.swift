import Foundation

/// Ranks that cannot go on together.
public enum RankError: Error {
  /// A rank has ended, and another waits for its part of a sum.
  case left
  /// The ranks hand over different things.
  case different
}

/// Where ranks hand over what each has and take what all have.
///
/// Unchecked sendable because its state is used only under the lock.
final class RankMeeting: @unchecked Sendable {
  private let condition = NSCondition()
  private var entries: [(any Sendable)?]
  /// What all handed over last. Nobody changes it before all have come back, having taken it.
  private var complete: [any Sendable] = []
  private var round = 0
  private var hasLeft = false

  init(count: Int) { entries = Array(repeating: nil, count: count) }

  /// Waits for the others; gives the values of all ranks in order.
  func exchange<Value: Sendable>(_ value: Value, rank: Int) throws -> [Value] {
    condition.lock()
    defer { condition.unlock() }
    let present = round
    entries[rank] = value
    let handedOver = entries.compactMap { $0 }
    if handedOver.count == entries.count {
      complete = handedOver
      entries = Array(repeating: nil, count: entries.count)
      round += 1
      condition.broadcast()
    }
    while round == present {
      guard !hasLeft else { throw RankError.left }
      condition.wait()
    }
    let values = complete.compactMap { $0 as? Value }
    guard values.count == complete.count else { throw RankError.different }
    return values
  }

  /// Says that a rank will not come again.
  func leave() {
    condition.lock()
    defer { condition.unlock() }
    hasLeft = true
    condition.broadcast()
  }
}

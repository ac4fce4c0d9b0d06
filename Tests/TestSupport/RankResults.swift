import Foundation

/// What the ranks of a training came to.
///
/// Unchecked sendable because its state is used only under the lock.
final class RankResults<Value: Sendable>: @unchecked Sendable {
  private let condition = NSCondition()
  private var results: [Result<Value, any Error>?]

  init(count: Int) { results = Array(repeating: nil, count: count) }

  func set(_ result: Result<Value, any Error>, rank: Int) {
    condition.lock()
    defer { condition.unlock() }
    results[rank] = result
    condition.broadcast()
  }

  /// Waits for all of them; gives them in order of rank.
  func wait() -> [Result<Value, any Error>] {
    condition.lock()
    defer { condition.unlock() }
    while true {
      let known = results.compactMap { $0 }
      if known.count == results.count { return known }
      condition.wait()
    }
  }
}

import Dispatch
import Synchronization
import Tensors

/// Decides for all sessions, a batch at a time, so that no two decisions compete for the cores.
///
/// Whoever asks while a batch is being decided is in the next one.
final class DecisionQueue: Sendable {
  private struct Waiting {
    var request: DecisionRequest
    var continuation: CheckedContinuation<[Float], Never>
  }

  private struct State {
    var waiting: [Waiting] = []
    var isWorking = false
    var batches = 0
    var decisions = 0
  }

  private let policy: ServedPolicy
  private let maxBatchSize: Int
  /// That of whoever made the queue: its own thread knows none.
  private let precision = Precision.current
  private let state = Mutex(State())
  /// Off the threads of Swift's tasks, which a decision would block.
  private let worker = DispatchQueue(label: "attune.decisions", qos: .userInteractive)

  init(_ policy: ServedPolicy, maxBatchSize: Int) {
    precondition(maxBatchSize > 0, "batches of \(maxBatchSize) decisions")
    self.policy = policy
    self.maxBatchSize = maxBatchSize
  }

  /// Batches and decisions so far.
  var counts: (batches: Int, decisions: Int) {
    state.withLock { ($0.batches, $0.decisions) }
  }

  /// The executed part of the chunk, normalized, `[Ta, Da]` row-major.
  func decide(_ request: DecisionRequest) async -> [Float] {
    await withCheckedContinuation { continuation in
      let starts = state.withLock { state in
        state.waiting.append(Waiting(request: request, continuation: continuation))
        defer { state.isWorking = true }
        return !state.isWorking
      }
      if starts { worker.async { self.work() } }
    }
  }

  private func work() {
    while true {
      let batch = state.withLock { state in
        let batch = Array(state.waiting.prefix(maxBatchSize))
        state.waiting.removeFirst(batch.count)
        state.isWorking = !batch.isEmpty
        state.batches += batch.isEmpty ? 0 : 1
        state.decisions += batch.count
        return batch
      }
      guard !batch.isEmpty else { return }
      let chunks = withPrecision(precision) { policy.decide(batch.map(\.request)) }
      for (waiting, chunk) in zip(batch, chunks) { waiting.continuation.resume(returning: chunk) }
    }
  }
}

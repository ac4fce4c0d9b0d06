import Synchronization

/// A line for each request that is refused, but not more than a few a second: whoever sends rubbish
/// would fill the disk.
final class RefusalLog: Sendable {
  private struct State {
    var windowEnd = ContinuousClock.Instant.now
    var lineCount = 0
    var droppedCount = 0
  }

  private static let maxLines = 5
  private let write: @Sendable (String) -> Void
  private let state = Mutex(State())

  init(_ write: @escaping @Sendable (String) -> Void) { self.write = write }

  /// Writes a line, or counts it.
  func add(_ line: String, now: ContinuousClock.Instant = .now) {
    flush(now: now)
    let isWritten = state.withLock { state in
      state.lineCount += 1
      state.droppedCount += state.lineCount > Self.maxLines ? 1 : 0
      return state.lineCount <= Self.maxLines
    }
    if isWritten { write(line) }
  }

  /// Tells of the lines that were dropped in a second that is over.
  func flush(now: ContinuousClock.Instant = .now) {
    let dropped = state.withLock { state in
      guard now >= state.windowEnd else { return 0 }
      defer { state = State(windowEnd: now + .seconds(1)) }
      return state.droppedCount
    }
    if dropped > 0 { write("\(dropped) more requests refused") }
  }
}

import CKernels

/// Ways of spreading a kernel over the worker pool.
enum Loops {
  /// Below this many elements a loop is over before a second thread has begun.
  private static let parallelElementCount = 1 << 15

  /// Runs a loop over elements, in parallel if it is long.
  static func overElements(_ count: Int, _ body: (Range<Int>) -> Void) {
    if count < parallelElementCount {
      if count > 0 { body(0..<count) }
    } else {
      WorkerPool.shared.forEachRange(count, granularity: 1024, body)
    }
  }

  /// Runs a loop over rows of `width` elements each, in parallel if there are many elements.
  static func overRows(_ rows: Int, width: Int, _ body: (Range<Int>) -> Void) {
    if rows * width < parallelElementCount {
      if rows > 0 { body(0..<rows) }
    } else {
      WorkerPool.shared.forEachRange(rows, body)
    }
  }
}

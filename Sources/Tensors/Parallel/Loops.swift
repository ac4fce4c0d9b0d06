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

/// Applies a function to shards of a batch, each on one worker from start to end, and joins the
/// results along the first dimension.
///
/// One small batch through a network needs a single meeting of the workers this way, instead of one
/// for each layer. Not recorded: for training see `shardedValueAndGradients`.
///
/// - Parameters:
///   - count: the batch size.
///   - shardSize: the size of all shards but the last; an even split over the workers unless given.
///   - body: a function whose rows do not depend on one another, so that shards do not matter.
public func shardedMap(
  count: Int, shardSize: Int? = nil, _ body: @Sendable (Range<Int>) -> Tensor
) -> Tensor {
  let workers = WorkerPool.shared.threadCount
  let size = shardSize ?? max(1, (count + workers - 1) / workers)
  precondition(
    count > 0 && size > 0, "cannot cut a batch of \(count) into shards of \(size)")
  let shardCount = (count + size - 1) / size
  // Worker threads do not see the caller's recording; its own shards must not differ from theirs.
  if shardCount == 1 { return withoutRecording { body(0..<count) } }
  var parts = [Tensor?](repeating: nil, count: shardCount)
  parts.withUnsafeMutableBufferPointer { parts in
    WorkerPool.shared.forEach(shardCount) { index in
      let range = index * size..<min(count, (index + 1) * size)
      let part = withoutRecording { body(range) }
      precondition(
        part.shape.first == range.count,
        "a shard of \(range.count) rows gave a result of shape \(part.shape)")
      parts[index] = part
    }
  }
  return Tensor.concatenated(parts.compactMap { $0 }, along: 0)
}

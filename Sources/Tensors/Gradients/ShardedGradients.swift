/// What one shard of a batch contributes to a training step.
public struct ShardResult {
  /// A scalar whose sum over the shards is the loss.
  public var loss: Tensor
  /// Numbers to sum over the shards, such as counts and squared errors; the same number for each.
  public var metrics: [Double]

  /// A shard's loss and metrics.
  public init(loss: Tensor, metrics: [Double] = []) {
    self.loss = loss
    self.metrics = metrics
  }
}

/// The sum of a loss over the shards of a batch, with its gradients.
///
/// The batch is cut into shards whose activations stay in a core's cache, and workers run forward
/// and backward on whole shards. Shards are dealt to a fixed number of lanes, each of which sums
/// its gradients in order, and lanes are summed in order: the result has the same bits on any
/// number of threads.
///
/// - Parameters:
///   - count: the batch size.
///   - shardSize: the size of all shards but the last.
///   - laneCount: the number of partial sums; each takes the memory of one set of gradients.
///   - body: the loss of a range of the batch, scaled so that the shards' losses add up.
public func shardedValueAndGradients(
  count: Int, shardSize: Int, laneCount: Int = 8,
  _ body: @Sendable (Range<Int>) -> ShardResult
) -> (loss: Double, metrics: [Double], gradients: Gradients) {
  precondition(
    count > 0 && shardSize > 0 && laneCount > 0,
    "cannot cut a batch of \(count) into shards of \(shardSize) in \(laneCount) lanes")
  let shardCount = (count + shardSize - 1) / shardSize
  let lanes = min(laneCount, shardCount)
  var parts = [Lane?](repeating: nil, count: lanes)
  parts.withUnsafeMutableBufferPointer { parts in
    WorkerPool.shared.forEach(lanes) { index in
      var lane = Lane()
      for shard in (shardCount * index / lanes)..<(shardCount * (index + 1) / lanes) {
        lane.add(body, shard * shardSize..<min(count, (shard + 1) * shardSize))
      }
      parts[index] = lane
    }
  }
  var loss = 0.0
  var metrics: [Double] = []
  var gradients = Gradients()
  for case .some(let lane) in parts {
    loss += lane.loss
    metrics = metrics.isEmpty ? lane.metrics : zip(metrics, lane.metrics).map { $0 + $1 }
    gradients.add(lane.accumulator.gradients())
  }
  return (loss, metrics, gradients)
}

/// The shards that are summed one after the other.
private struct Lane {
  let accumulator = GradientAccumulator()
  var loss = 0.0
  var metrics: [Double] = []

  mutating func add(_ body: (Range<Int>) -> ShardResult, _ range: Range<Int>) {
    let result = Recording.$isOn.withValue(true) { body(range) }
    precondition(
      result.loss.count == 1, "a shard's loss is a scalar, not of shape \(result.loss.shape)")
    accumulator.walk(from: result.loss, gradient: .ones(result.loss.shape))
    loss += Double(result.loss.scalar)
    if metrics.isEmpty {
      metrics = result.metrics
    } else {
      precondition(
        metrics.count == result.metrics.count, "shards differ in the number of their metrics")
      for index in metrics.indices { metrics[index] += result.metrics[index] }
    }
  }
}

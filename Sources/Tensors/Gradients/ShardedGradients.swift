/// What one shard of a batch contributes to a training step.
public struct ShardResult {
  /// A scalar whose sum over the shards is the loss.
  public var loss: Tensor
  /// Numbers to sum over the shards, such as counts and squared errors; the same names for each.
  public var sums: NamedSums

  /// A shard's loss and what else is summed.
  public init(loss: Tensor, sums: NamedSums = [:]) {
    self.loss = loss
    self.sums = sums
  }
}

/// The sum of a loss over the shards of a batch, with its gradients.
///
/// The batch is cut into shards whose activations stay in a core's cache, and workers run forward
/// and backward on whole shards. Shards are dealt to a fixed number of lanes, each of which sums
/// its gradients in order, and lanes are summed in a fixed binary tree: the result has the same
/// bits on any number of threads, and whoever owns the lanes of a subtree can sum it alone.
///
/// - Parameters:
///   - count: the batch size.
///   - shardSize: the size of all shards but the last.
///   - laneCount: the number of partial sums, a power of two; each takes the memory of one set of
///     gradients.
///   - ownLanes: the lanes to sum, a subtree of them; all unless given. Whoever has the others sums them.
///   - body: the loss of a range of the batch, scaled so that the shards' losses add up.
/// - Returns: sums over the lanes; nothing of lanes without a shard.
public func shardedValueAndGradients(
  count: Int, shardSize: Int, laneCount: Int = 8, lanes ownLanes: Range<Int>? = nil,
  _ body: @Sendable (Range<Int>) -> ShardResult
) -> (loss: Double, sums: NamedSums, gradients: Gradients) {
  precondition(
    count > 0 && shardSize > 0 && laneCount > 0 && laneCount & (laneCount - 1) == 0,
    "cannot cut a batch of \(count) into shards of \(shardSize) in \(laneCount) lanes")
  let shardCount = (count + shardSize - 1) / shardSize
  var lanes = [Lane?](repeating: nil, count: laneCount)
  lanes.withUnsafeMutableBufferPointer { lanes in
    // A small batch leaves lanes without a shard; workers are dealt those that have one.
    let used = (ownLanes ?? lanes.indices).filter {
      shardCount * $0 / laneCount < shardCount * ($0 + 1) / laneCount
    }
    WorkerPool.shared.forEach(used.count) { place in
      let index = used[place]
      var lane = Lane()
      for shard in (shardCount * index / laneCount)..<(shardCount * (index + 1) / laneCount) {
        lane.add(body, shard * shardSize..<min(count, (shard + 1) * shardSize))
      }
      lane.finish()
      lanes[index] = lane
    }
    sumInTree(lanes)
  }
  // The root of the tree. The lanes of one of several processes may be without a shard.
  guard let sum = lanes[0] else { return (0, [:], Gradients()) }
  return (sum.loss, sum.sums, sum.gradients)
}

/// Adds lane i + s to lane i for s = 1, 2, 4, ...: ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)). Lanes
/// without a shard are passed over.
private func sumInTree(_ lanes: UnsafeMutableBufferPointer<Lane?>) {
  var stride = 1
  while stride < lanes.count {
    let pairCount = lanes.count / (2 * stride)
    func add(_ pair: Int) {
      let left = 2 * stride * pair
      guard let right = lanes[left + stride] else { return }
      lanes[left + stride] = nil
      if lanes[left] == nil { lanes[left] = right } else { lanes[left]?.add(right) }
    }
    // The last sum is one pair: its own additions use the workers then.
    if pairCount > 1 { WorkerPool.shared.forEach(pairCount, add) } else { add(0) }
    stride *= 2
  }
}

/// The shards that are summed one after the other.
private struct Lane {
  private let accumulator = GradientAccumulator()
  private(set) var loss = 0.0
  private(set) var sums = NamedSums()
  private(set) var gradients = Gradients()

  mutating func add(_ body: (Range<Int>) -> ShardResult, _ range: Range<Int>) {
    let result = Recording.$isOn.withValue(true) { body(range) }
    precondition(
      result.loss.count == 1, "a shard's loss is a scalar, not of shape \(result.loss.shape)")
    accumulator.walk(from: result.loss, gradient: .ones(result.loss.shape))
    loss += Double(result.loss.scalar)
    sums += result.sums
  }

  /// Takes the gradients from the accumulator when all shards are in it.
  mutating func finish() { gradients = accumulator.takeGradients() }

  /// Adds the sums of another lane.
  mutating func add(_ other: Lane) {
    loss += other.loss
    sums += other.sums
    gradients.add(other.gradients)
  }
}

/// Numbers by name that add up: over rows, shards, lanes and processes.
public struct NamedSums: Sendable, Equatable, Codable, ExpressibleByDictionaryLiteral {
  /// In the order in which they were given.
  public private(set) var names: [String]
  private var values: [Double]

  /// Nothing, to which anything may be added.
  public init() { (names, values) = ([], []) }

  /// Numbers with their names.
  public init(dictionaryLiteral elements: (String, Double)...) {
    names = elements.map(\.0)
    values = elements.map(\.1)
  }

  /// The sum of that name.
  public subscript(name: String) -> Double {
    guard let index = names.firstIndex(of: name) else {
      preconditionFailure("no sum '\(name)' among \(names)")
    }
    return values[index]
  }

  /// Adds the sums of other rows, which have the same names.
  public static func += (left: inout NamedSums, right: NamedSums) {
    if left.names.isEmpty {
      left = right
    } else if !right.names.isEmpty {
      precondition(
        left.names == right.names, "sums of \(left.names) and of \(right.names) do not add up")
      for index in left.values.indices { left.values[index] += right.values[index] }
    }
  }

  /// With the sums of the same rows under other names.
  public func joined(with other: NamedSums) -> NamedSums {
    precondition(
      Set(names).isDisjoint(with: other.names), "\(names) and \(other.names) share a name")
    var result = self
    result.names += other.names
    result.values += other.values
    return result
  }
}

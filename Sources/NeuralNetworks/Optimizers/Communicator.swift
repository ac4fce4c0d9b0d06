import Foundation
import Tensors

/// Several processes that train one network together.
///
/// Environments, images and rows of minibatches have global numbers: a rank owns a contiguous range
/// of them. Rollouts are gathered, so that every rank computes scalers, advantages and minibatches
/// from the same numbers; a minibatch's lanes are shared out, and summed in the binary tree in
/// which one process sums them. So any number of ranks gives the same bits, and all that they need
/// of one another is
/// `gather`.
public protocol Communicator: Sendable {
  /// The number of processes, a power of two.
  var processCount: Int { get }
  /// Which of them this is, from 0.
  var rank: Int { get }

  /// What every rank hands over, in the order of ranks; all call it at the same places.
  ///
  /// - Throws: what the connection throws; no step must be taken then.
  func gather(_ bytes: [UInt8]) throws -> [[UInt8]]
}

/// A process on its own.
public struct SingleProcess: Communicator {
  /// 1
  public let processCount = 1
  /// 0
  public let rank = 0

  /// The only process.
  public init() {}

  /// The bytes as they are.
  public func gather(_ bytes: [UInt8]) -> [[UInt8]] { [bytes] }
}

extension Communicator {
  /// The numbers that this rank owns, of `count`: as even a part as can be.
  public func fraction(of count: Int) -> Range<Int> {
    count * rank / processCount..<count * (rank + 1) / processCount
  }

  /// Numbers of every rank.
  public func gatherNumbers(_ numbers: [Float]) throws -> [[Float]] {
    guard processCount > 1 else { return [numbers] }
    let own: [UInt8] = numbers.withUnsafeBytes { Array($0) }
    return try gather(own).map { bytes in
      bytes.withUnsafeBytes { bytes in
        [Float](unsafeUninitializedCapacity: bytes.count / 4) { numbers, count in
          UnsafeMutableRawBufferPointer(numbers).copyMemory(from: bytes)
          count = bytes.count / 4
        }
      }
    }
  }

  /// A value of every rank, encoded on the way; numbers keep their bits.
  ///
  /// - Throws: `EncodingError` or `DecodingError` for values that JSON cannot hold.
  public func gatherValues<Value: Codable>(_ value: Value) throws -> [Value] {
    guard processCount > 1 else { return [value] }
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try gather([UInt8](try encoder.encode(value))).map {
      try decoder.decode(Value.self, from: Data($0))
    }
  }

  /// Tensors of the ranks one below the other, `[N, ...]` with the `N` of all.
  public func gatherRows(_ tensor: Tensor) throws -> Tensor {
    guard processCount > 1 else { return tensor }
    let shape = Array(tensor.shape.dropFirst())
    let parts = try gatherNumbers(tensor.elements)
    let rowSize = max(shape.reduce(1, *), 1)
    return .concatenated(
      parts.map { Tensor(shape: [$0.count / rowSize] + shape, elements: $0) }, along: 0)
  }

  /// The sum of a loss over the shards of a batch that all ranks have, with its gradients: each
  /// rank works on its own lanes. See `Tensors.shardedValueAndGradients`.
  ///
  /// - Parameters:
  ///   - count: the batch size.
  ///   - shardSize: the size of all shards but the last.
  ///   - laneCount: the number of partial sums, a power of two and a multiple of `processCount`.
  ///   - parameters: what is differentiated by.
  ///   - body: the loss of a range of the batch, scaled so that the shards' losses add up.
  /// - Throws: what the connection throws.
  public func shardedValueAndGradients(
    count: Int, shardSize: Int, laneCount: Int = 8, of parameters: NamedParameters,
    _ body: @Sendable (Range<Int>) -> ShardResult
  ) throws -> (loss: Double, sums: NamedSums, gradients: Gradients) {
    precondition(
      laneCount.isMultiple(of: processCount) && processCount & (processCount - 1) == 0,
      "\(laneCount) lanes cannot be shared among \(processCount) processes")
    let own = Tensors.shardedValueAndGradients(
      count: count, shardSize: shardSize, laneCount: laneCount, lanes: fraction(of: laneCount), body
    )
    guard processCount > 1 else { return own }
    let sums = try gatherValues(RankSums(loss: own.loss, sums: own.sums)).summedInTree { $0 += $1 }
    let gradients = try sum(own.gradients, of: parameters)
    return (sums.loss, sums.sums, gradients)
  }

  /// The sum of the ranks' gradients in a binary tree; parameters are told apart by their place.
  private func sum(_ gradients: Gradients, of parameters: NamedParameters) throws -> Gradients {
    // A parameter that a rank's lanes do not reach has no gradient there.
    let has = parameters.map { gradients[$0.parameter.leaf] != nil }
    let everyones = try gatherValues(has)
    let numbers = try gatherNumbers(
      parameters.flatMap { gradients[$0.parameter.leaf]?.elements ?? [] })
    var ranks: [[Tensor?]] = []
    for (has, numbers) in zip(everyones, numbers) {
      var start = 0
      ranks.append(
        zip(parameters, has).map { entry, has in
          guard has else { return nil }
          let shape = entry.parameter.value.shape
          let range = start..<start + shape.reduce(1, *)
          start = range.upperBound
          return Tensor(shape: shape, elements: numbers[range])
        })
    }
    let sums = ranks.summedInTree { left, right in
      for index in left.indices {
        guard let other = right[index] else { continue }
        left[index] = left[index].map { $0 + other } ?? other
      }
    }
    var result = Gradients()
    for (entry, sum) in zip(parameters, sums) {
      if let sum { result[entry.parameter.leaf] = sum }
    }
    return result
  }
}

/// A rank's part of a loss.
private struct RankSums: Codable {
  var loss: Double
  var sums: NamedSums

  static func += (left: inout RankSums, right: RankSums) {
    left.loss += right.loss
    left.sums += right.sums
  }
}

extension Array {
  /// ((0 + 1) + (2 + 3)) + ..., as lanes are summed.
  fileprivate func summedInTree(_ add: (inout Element, Element) -> Void) -> Element {
    precondition(!isEmpty && count & (count - 1) == 0, "no binary tree of \(count) ranks")
    var parts = self
    var stride = 1
    while stride < count {
      for left in Swift.stride(from: 0, to: count, by: 2 * stride) {
        add(&parts[left], parts[left + stride])
      }
      stride *= 2
    }
    return parts[0]
  }
}

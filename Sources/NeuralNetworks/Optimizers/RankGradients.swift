import Configuration
import Foundation
import Tensors

extension Communicator {
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
    try ConfigurationError.require(
      processCount & (processCount - 1) == 0 && processCount <= laneCount, "processes",
      processCount, Self.trainingCounts(laneCount: laneCount))
    let own = Tensors.shardedValueAndGradients(
      count: count, shardSize: shardSize, laneCount: laneCount, lanes: fraction(of: laneCount), body
    )
    guard processCount > 1 else { return own }
    let sums = try sum(
      RankSums(loss: own.loss, sums: own.sums, gradients: own.gradients), of: parameters)
    return (sums.loss, sums.sums, sums.gradients)
  }

  /// How many processes can sum a gradient.
  public static func trainingCounts(laneCount: Int = 8) -> String {
    "1, 2, 4 and so on to \(laneCount), which divide the \(laneCount) parts of a gradient evenly"
  }

  /// Finds out before the work that a gradient cannot be divided among so many.
  ///
  /// - Throws: `ConfigurationError`.
  public func checkTrainingCount() throws {
    try ConfigurationError.require(
      processCount & (processCount - 1) == 0 && processCount <= 8, "processes", processCount,
      Self.trainingCounts())
  }

  /// The sum of what ranks come to, in the binary tree in which one process sums its lanes: with each
  /// step twice as many ranks have the same, so that log2(P) messages of one gradient are enough.
  private func sum(_ own: RankSums, of parameters: NamedParameters) throws -> RankSums {
    var sums = own
    var stride = 1
    while stride < processCount {
      let partner = rank ^ stride
      let theirs = try RankSums(
        bytes: try exchange(try sums.bytes(of: parameters), with: partner), of: parameters)
      sums =
        rank < partner ? sums.adding(theirs, of: parameters) : theirs.adding(sums, of: parameters)
      stride *= 2
    }
    return sums
  }
}

/// A rank's part of a loss and of its gradients.
private struct RankSums {
  var loss: Double
  var sums: NamedSums
  var gradients: Gradients

  /// What is told beside the numbers of gradients.
  private struct Header: Codable {
    var loss: UInt64
    var sums: NamedSums
    /// A parameter that a rank's lanes do not reach has no gradient there.
    var has: [Bool]
  }
}

extension RankSums {
  /// The length of the header, the header, and the gradients' numbers in the order of parameters.
  func bytes(of parameters: NamedParameters) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .communicated
    let own = parameters.map { gradients[$0.parameter.leaf] }
    let header = try encoder.encode(
      Header(loss: loss.bitPattern, sums: sums, has: own.map { $0 != nil }))
    var bytes = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
    bytes += header
    for gradient in own {
      gradient?.withUnsafeElements { bytes += UnsafeRawBufferPointer($0) }
    }
    return bytes
  }

  init(bytes: [UInt8], of parameters: NamedParameters) throws {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .communicated
    let size = Int(bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }.littleEndian)
    let header = try decoder.decode(Header.self, from: Data(bytes[8..<8 + size]))
    self.init(loss: Double(bitPattern: header.loss), sums: header.sums, gradients: Gradients())
    var start = 8 + size
    for (entry, has) in zip(parameters, header.has) where has {
      let shape = entry.parameter.value.shape
      let count = 4 * shape.reduce(1, *)
      gradients[entry.parameter.leaf] = Tensor(
        shape: shape, elements: [Float](communicated: bytes[start..<start + count]))
      start += count
    }
  }

  /// This and what comes after it in the tree.
  func adding(_ other: RankSums, of parameters: NamedParameters) -> RankSums {
    var result = self
    result.loss += other.loss
    result.sums += other.sums
    for entry in parameters {
      guard let theirs = other.gradients[entry.parameter.leaf] else { continue }
      result.gradients[entry.parameter.leaf] =
        gradients[entry.parameter.leaf].map { $0 + theirs } ?? theirs
    }
    return result
  }
}

import Foundation

/// Several processes that work as one.
///
/// Environments, images and rows of minibatches have global numbers: a rank owns a contiguous range
/// of them. Rollouts are gathered, so that every rank computes scalers, advantages and minibatches
/// from the same numbers; a minibatch's lanes are divided among ranks, and summed in the binary tree
/// in which one process sums them. So any number of ranks gives the same bits.
public protocol Communicator: Sendable {
  /// The number of processes, a power of two.
  var processCount: Int { get }
  /// Which of them this is, from 0.
  var rank: Int { get }

  /// What every rank hands over, in the order of ranks; all call it at the same places.
  ///
  /// - Throws: what the connection throws; no step must be taken then.
  func gather(_ bytes: [UInt8]) throws -> [[UInt8]]

  /// What another rank hands over to this one, which does the same; all ranks call it in pairs at the
  /// same place.
  ///
  /// - Throws: what the connection throws.
  func exchange(_ bytes: [UInt8], with partner: Int) throws -> [UInt8]

  /// What has gone from this rank to others so far.
  var traffic: Traffic { get }
}

/// What a rank has sent.
public struct Traffic: Sendable, Equatable {
  /// Messages, each to one other rank.
  public var messages = 0
  /// Their bytes.
  public var bytes = 0
  /// The time until all had sent and taken theirs, waiting included.
  public var duration = Duration.zero

  /// Nothing yet.
  public init() {}
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
  /// Nothing, where nobody counts.
  public var traffic: Traffic { Traffic() }

  /// By way of all ranks, where there is no shorter one.
  public func exchange(_ bytes: [UInt8], with partner: Int) throws -> [UInt8] {
    try gather(bytes)[partner]
  }

  /// Whether this rank writes files and speaks to the user.
  public var isFirst: Bool { rank == 0 }

  /// Whether it is so on some rank.
  public func anyRank(_ isSo: Bool) throws -> Bool {
    guard processCount > 1 else { return isSo }
    return try gather([isSo ? 1 : 0]).contains([1])
  }

  /// What the first rank has; the others' are not looked at.
  public func fromFirst(_ bytes: @autoclosure () throws -> [UInt8]) throws -> [UInt8] {
    try gather(isFirst ? bytes() : [])[0]
  }

  /// The numbers that this rank owns, of `count`: as even a part as can be.
  public func fraction(of count: Int) -> Range<Int> {
    count * rank / processCount..<count * (rank + 1) / processCount
  }

  /// Numbers of every rank.
  public func gatherNumbers(_ numbers: [Float]) throws -> [[Float]] {
    guard processCount > 1 else { return [numbers] }
    let own: [UInt8] = numbers.withUnsafeBytes { Array($0) }
    return try gather(own).map { [Float](communicated: $0[...]) }
  }

  /// A value of every rank, encoded on the way; numbers keep their bits.
  ///
  /// - Throws: `EncodingError` or `DecodingError` for values that JSON cannot hold.
  public func gatherValues<Value: Codable>(_ value: Value) throws -> [Value] {
    guard processCount > 1 else { return [value] }
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .communicated
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .communicated
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
}

extension [Float] {
  /// Numbers as another rank has them.
  package init(communicated bytes: ArraySlice<UInt8>) {
    self = bytes.withUnsafeBytes { bytes in
      [Float](unsafeUninitializedCapacity: bytes.count / 4) { numbers, count in
        UnsafeMutableRawBufferPointer(numbers).copyMemory(from: bytes)
        count = bytes.count / 4
      }
    }
  }
}

extension JSONEncoder.NonConformingFloatEncodingStrategy {
  /// Numbers that JSON does not have, as ranks tell them each other.
  package static var communicated: Self {
    .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  }
}

extension JSONDecoder.NonConformingFloatDecodingStrategy {
  /// Numbers that JSON does not have, as ranks tell them each other.
  package static var communicated: Self {
    .convertFromString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  }
}

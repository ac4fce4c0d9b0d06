import Tensors

/// Several processes that train one network together, each on its own part of every minibatch.
///
/// All that an algorithm exchanges goes through here: it computes on its own part, with losses
/// divided by the size of the whole minibatch, and asks for the sums. Every process then takes the
/// same optimizer step.
public protocol Communicator: Sendable {
  /// The number of processes.
  var processCount: Int { get }
  /// Which of them this is, from 0.
  var rank: Int { get }

  /// The sum over all processes of the gradients of `parameters`.
  ///
  /// - Throws: what the connection throws; the step must not be taken then.
  func sum(_ gradients: Gradients, of parameters: NamedParameters) throws -> Gradients

  /// The sums over all processes of some numbers, such as counts and losses.
  func sum(_ numbers: [Double]) throws -> [Double]
}

extension Communicator {
  /// A seed of this process' own for what each draws for itself; the run's in the first process.
  public func seed(_ seed: UInt64) -> UInt64 {
    // Far apart, so that the next run's seed is not the next process'.
    seed &+ UInt64(rank) &* 0x9E37_79B9_7F4A_7C15
  }
}

/// A process on its own.
public struct SingleProcess: Communicator {
  /// 1
  public let processCount = 1
  /// 0
  public let rank = 0

  /// The only process.
  public init() {}

  /// The gradients as they are.
  public func sum(_ gradients: Gradients, of parameters: NamedParameters) -> Gradients { gradients }

  /// The numbers as they are.
  public func sum(_ numbers: [Double]) -> [Double] { numbers }
}

import Files
import Tensors

/// A loss or gradient that is infinite or not a number; the run stops before it reaches the weights.
public struct NonFiniteError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The iteration in which it was seen.
  public let iteration: Int
  /// The name of the loss, gradient or parameter.
  public let name: String
  /// How many elements are not finite, and how many there are.
  public let badCount: Int
  /// The number of elements.
  public let count: Int
  /// The last good checkpoint; nil if none was written yet.
  public let lastCheckpoint: String?

  /// Describes what was seen.
  public init(iteration: Int, name: String, badCount: Int, count: Int, lastCheckpoint: String?) {
    self.iteration = iteration
    self.name = name
    self.badCount = badCount
    self.count = count
    self.lastCheckpoint = lastCheckpoint
  }

  /// What happened, and where to go on from.
  public var description: String {
    let what =
      count == 1
      ? "is not finite" : "has \(badCount.grouped) of \(count.grouped) elements that are not finite"
    let next =
      lastCheckpoint.map { "the last good checkpoint is \($0.printable)" }
      ?? "there is no checkpoint yet"
    return "iteration \(iteration): '\(name.printable)' \(what); \(next); try a lower learning rate"
  }
}

/// Checks that numbers of a training iteration are finite.
public struct FiniteCheck: Sendable {
  /// The iteration.
  public let iteration: Int
  /// The last good checkpoint, for the message.
  public let lastCheckpoint: String?

  /// Makes a check for one iteration.
  public init(iteration: Int, lastCheckpoint: String?) {
    self.iteration = iteration
    self.lastCheckpoint = lastCheckpoint
  }

  /// Gives the number back if it is finite.
  ///
  /// - Throws: `NonFiniteError` if it is not.
  @discardableResult
  public func checked<Number: BinaryFloatingPoint>(
    _ number: Number, _ name: String
  ) throws(NonFiniteError) -> Number {
    guard number.isFinite else { throw error(name, badCount: 1, count: 1) }
    return number
  }

  /// Gives the tensor back if all its elements are finite.
  ///
  /// - Throws: `NonFiniteError` if one is not.
  @discardableResult
  public func checked(_ tensor: Tensor, _ name: String) throws(NonFiniteError) -> Tensor {
    let badCount = tensor.withUnsafeElements { elements in
      // The mask of the exponent, in a loop without branches.
      elements.reduce(0) { $0 &+ ($1.bitPattern & 0x7F80_0000 == 0x7F80_0000 ? 1 : 0) }
    }
    guard badCount == 0 else { throw error(name, badCount: badCount, count: tensor.count) }
    return tensor
  }

  private func error(_ name: String, badCount: Int, count: Int) -> NonFiniteError {
    NonFiniteError(
      iteration: iteration, name: name, badCount: badCount, count: count,
      lastCheckpoint: lastCheckpoint)
  }
}

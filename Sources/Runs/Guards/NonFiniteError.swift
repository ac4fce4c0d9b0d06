import Files

/// A loss or gradient that is infinite or not a number; the run stops before it reaches the
/// weights.
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

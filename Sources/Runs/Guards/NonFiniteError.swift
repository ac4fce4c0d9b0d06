import Files

/// A loss or gradient that is infinite or not a number; the run stops before it reaches the
/// weights. Or a weight that was so before.
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
  /// Whether it is a weight: then what the run started from is at fault, not how it learns.
  public let isWeight: Bool

  /// Describes what was seen.
  public init(
    iteration: Int, name: String, badCount: Int, count: Int, lastCheckpoint: String?,
    isWeight: Bool = false
  ) {
    self.iteration = iteration
    self.name = name
    self.badCount = badCount
    self.count = count
    self.lastCheckpoint = lastCheckpoint
    self.isWeight = isWeight
  }

  /// What happened, and where to go on from.
  public var description: String {
    let what =
      count == 1
      ? "is not finite" : "has \(badCount.grouped) of \(count.grouped) elements that are not finite"
    let next =
      lastCheckpoint.map { "the last good checkpoint is \($0.printable)" }
      ?? "there is no checkpoint yet"
    return "iteration \(iteration): '\(name.printable)' \(what); \(next); \(advice)"
  }

  private var advice: String {
    if isWeight { return "a weight was so before this iteration: start from a valid model" }
    // Nothing has been learned yet.
    if iteration == 1 {
      return
        "are all numbers of the data finite and of a usual size? else try a lower learning rate"
    }
    return "try a lower learning rate"
  }
}

import Tensors

/// A loss or gradient that is infinite or not a number; no weight has been changed by it.
public struct NonFiniteGradient: Error, Equatable, CustomStringConvertible {
  /// The loss, or the parameter whose gradient it is.
  public let name: String
  /// Elements that are not finite.
  public let badCount: Int
  /// All elements.
  public let count: Int

  /// What was found.
  public var description: String {
    "'\(name)' has \(badCount) of \(count) elements that are not finite: try a lower learning rate"
  }

  /// Checks a loss and the norm of its gradient, before the gradient reaches a weight.
  ///
  /// - Throws: `NonFiniteGradient`, naming the first tensor at fault.
  public static func check(
    loss: Double, _ lossName: String, norm: Double, _ gradients: Gradients,
    of parameters: NamedParameters
  ) throws(NonFiniteGradient) {
    guard loss.isFinite else { throw NonFiniteGradient(name: lossName, badCount: 1, count: 1) }
    guard !norm.isFinite else { return }
    for (name, parameter) in parameters {
      let elements = gradients[parameter.leaf]?.elements ?? []
      let badCount = elements.count { !$0.isFinite }
      if badCount > 0 {
        throw NonFiniteGradient(
          name: "gradient of \(name)", badCount: badCount, count: elements.count)
      }
    }
    // Every element is finite, but the sum of their squares is not.
    throw NonFiniteGradient(name: "norm of the gradient", badCount: 1, count: 1)
  }
}

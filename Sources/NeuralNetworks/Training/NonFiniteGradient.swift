import Tensors

/// A loss, gradient or weight that is infinite or not a number; no weight has been changed by it.
public struct NonFiniteGradient: Error, Equatable, CustomStringConvertible {
  /// The loss, the weight, or the parameter whose gradient it is.
  public let name: String
  /// Elements that are not finite.
  public let badCount: Int
  /// All elements.
  public let count: Int
  /// Whether it is a weight, which was so before this step: no learning rate mends it.
  public var isWeight = false

  /// What was found.
  public var description: String {
    "'\(name)' has \(badCount) of \(count) elements that are not finite: "
      + (isWeight ? "start from weights that are finite" : "try a lower learning rate")
  }

  /// Blames a weight that is infinite or not a number, if there is one.
  ///
  /// - Throws: `NonFiniteGradient`, naming the first.
  public static func checkWeights(_ parameters: NamedParameters) throws(NonFiniteGradient) {
    for (name, parameter) in parameters {
      let elements = parameter.value.elements
      let badCount = elements.count { !$0.isFinite }
      if badCount > 0 {
        throw NonFiniteGradient(
          name: name, badCount: badCount, count: elements.count, isWeight: true)
      }
    }
  }

  /// Checks a loss and the norm of its gradient, before the gradient reaches a weight.
  ///
  /// - Throws: `NonFiniteGradient`, naming the first tensor at fault.
  public static func check(
    loss: Double, _ lossName: String, norm: Double, _ gradients: Gradients,
    of parameters: NamedParameters
  ) throws(NonFiniteGradient) {
    guard !(loss.isFinite && norm.isFinite) else { return }
    try checkWeights(parameters)
    guard loss.isFinite else { throw NonFiniteGradient(name: lossName, badCount: 1, count: 1) }
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

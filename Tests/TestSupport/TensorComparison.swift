import Tensors
import Testing

/// Checks shapes and elements: |actual - expected| <= relative * max|expected| + absolute. NaN
/// fails.
///
/// - Returns: the maximum difference over the maximum expected magnitude, if shapes agree.
@discardableResult
public func expectClose(
  _ actual: Tensor?, _ expected: Tensor, relative: Float = 1e-5, absolute: Float = 1e-7,
  _ what: String = "the tensor", sourceLocation: SourceLocation = #_sourceLocation
) -> Float {
  guard let actual, actual.shape == expected.shape else {
    Issue.record(
      "\(what): shape \(actual?.shape.description ?? "none"), expected \(expected.shape)",
      sourceLocation: sourceLocation)
    return .infinity
  }
  let tolerance = relative * expected.maxMagnitude + absolute
  for (index, (a, e)) in zip(actual.elements, expected.elements).enumerated()
  where !(abs(a - e) <= tolerance) {
    Issue.record(
      "\(what): element \(index) is \(a), expected \(e) within \(tolerance)",
      sourceLocation: sourceLocation)
    break
  }
  return relativeError(actual, expected)
}

/// The maximum difference of two tensors over the maximum expected magnitude; NaN if any element
/// is, infinite if the shapes differ.
public func relativeError(_ actual: Tensor, _ expected: Tensor) -> Float {
  maxDifference(actual, expected) / max(expected.maxMagnitude, .leastNormalMagnitude)
}

/// The maximum difference of two tensors; NaN if any element is, infinite if the shapes differ.
public func maxDifference(_ actual: Tensor, _ expected: Tensor) -> Float {
  guard actual.shape == expected.shape else { return .infinity }
  var maximum: Float = 0
  for (a, e) in zip(actual.elements, expected.elements) {
    let difference = abs(a - e)
    maximum = difference.isNaN || maximum.isNaN ? .nan : max(maximum, difference)
  }
  return maximum
}

extension Tensor {
  fileprivate var maxMagnitude: Float { elements.map { abs($0) }.max() ?? 0 }
}

import Foundation
import Tensors
import Testing

/// Checks shapes and elements: |actual - expected| <= relative * max|expected| + absolute.
func expectClose(
  _ actual: Tensor, _ expected: Tensor, relative: Float = 1e-5, absolute: Float = 1e-7,
  _ what: String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.shape == expected.shape else {
    Issue.record(
      "\(what) shape \(actual.shape), expected \(expected.shape)", sourceLocation: sourceLocation)
    return
  }
  let scale = expected.elements.map { Swift.abs($0) }.max() ?? 0
  let tolerance = relative * scale + absolute
  for (index, (a, e)) in zip(actual.elements, expected.elements).enumerated()
  where !(Swift.abs(a - e) <= tolerance) {
    Issue.record(
      "\(what) element \(index) is \(a), expected \(e) within \(tolerance)",
      sourceLocation: sourceLocation)
    return
  }
}

/// Random elements that keep away from zero, where some functions have kinks.
func randomTensor(_ shape: [Int], seed: UInt64 = 1, in range: Range<Float> = -2..<2) -> Tensor {
  var random = RandomStream(seed: seed, purpose: "test")
  return random.uniform(shape, in: range)
}

/// Compares gradients with central differences of a random projection of the result.
///
/// Differences are of single-precision values: with a step of 1e-2 they are good to about 1e-3 of the
/// largest gradient for functions as smooth as these.
func checkGradients(
  _ inputs: [Tensor], step: Float = 1e-2, tolerance: Float = 5e-3,
  sourceLocation: SourceLocation = #_sourceLocation, _ function: ([Tensor]) -> Tensor
) {
  let shape = function(inputs).shape
  let projection = randomTensor(shape, seed: 99, in: -1..<1)
  func value(_ inputs: [Tensor]) -> Double {
    zip(function(inputs).elements, projection.elements)
      .reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }
  let tracked = inputs.map { $0.tracked() }
  let gradients = valueAndGradients { (function(tracked) * projection).sum() }.gradients
  for (index, input) in inputs.enumerated() {
    guard let gradient = gradients[tracked[index]] else {
      Issue.record("input \(index) has no gradient", sourceLocation: sourceLocation)
      continue
    }
    // Up to 40 elements, spread evenly.
    let positions = Swift.stride(from: 0, to: input.count, by: max(1, input.count / 40))
    var expected: [Float] = []
    for position in positions {
      var (below, above) = (input.elements, input.elements)
      below[position] -= step
      above[position] += step
      var (low, high) = (inputs, inputs)
      low[index] = Tensor(shape: input.shape, elements: below)
      high[index] = Tensor(shape: input.shape, elements: above)
      expected.append(
        Float((value(high) - value(low)) / Double(above[position] - below[position])))
    }
    #expect(gradient.shape == input.shape, sourceLocation: sourceLocation)
    let elements = gradient.elements
    expectClose(
      Tensor(positions.map { elements[$0] }), Tensor(expected), relative: tolerance,
      absolute: tolerance * 0.1, "gradient of input \(index)", sourceLocation: sourceLocation)
  }
}

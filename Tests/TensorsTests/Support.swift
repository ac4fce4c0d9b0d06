import Foundation
import Tensors
import TestSupport
import Testing

extension Trait where Self == ConditionTrait {
  /// For tests that expect one product's bits of another: OpenBLAS's depend on the number of rows.
  static var ownProducts: Self {
    .enabled(
      if: Precision.highest.arithmetic == "float32", "OpenBLAS's digits depend on how work is cut")
  }
}

/// Random elements that keep away from zero, where some functions have kinks.
func randomTensor(_ shape: [Int], seed: UInt64 = 1, in range: Range<Float> = -2..<2) -> Tensor {
  var random = RandomStream(seed: seed, purpose: "test")
  return random.uniform(shape, in: range)
}

/// Compares gradients with central differences of a random projection of the result.
///
/// Differences are of single-precision values: with a step of 1e-2 they are good to about 1e-3 of
/// the largest gradient for functions as smooth as these.
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

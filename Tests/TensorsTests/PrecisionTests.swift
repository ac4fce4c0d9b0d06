import Foundation
import TestSupport
import Testing

@testable import Tensors

/// Products, attention and convolutions in each precision, on the kernels in plain C: how far they
/// are from double precision, and what does not depend on batch, threads or packing.
@Suite struct PrecisionTests {
  /// A precision and what computes it.
  struct Case: Sendable, CustomTestStringConvertible {
    let precision: Precision
    let kernels: MatrixKernels
    /// Of an element, relative to its typical size.
    let tolerance: Float

    var testDescription: String { "\(precision) by \(kernels[precision])" }

    func run<Result>(_ body: () throws -> Result) rethrows -> Result {
      try ProductArithmetic.$current.withValue(
        ProductArithmetic(precision: precision, kernels: kernels), operation: body)
    }

    static let all = [
      Case(precision: .highest, kernels: .emulatedAMX, tolerance: 4e-6),
      Case(precision: .high, kernels: .emulatedAMX, tolerance: 4e-5),
      Case(precision: .medium, kernels: .emulatedAMX, tolerance: 2.5e-2),
      Case(precision: .medium, kernels: .emulatedAVX512, tolerance: 2.5e-2),
    ]
    static let reduced = Array(all.dropFirst())
  }

  /// In double precision: a `[rows, inner]` x b `[inner, columns]`.
  private func product(_ a: Tensor, _ b: Tensor) -> Tensor {
    let (rows, inner, columns) = (a.shape[0], a.shape[1], b.shape[1])
    let (x, y) = (a.elements.map(Double.init), b.elements.map(Double.init))
    var result = [Double](repeating: 0, count: rows * columns)
    for i in 0..<rows {
      for k in 0..<inner {
        for j in 0..<columns { result[i * columns + j] += x[i * inner + k] * y[k * columns + j] }
      }
    }
    return Tensor(shape: [rows, columns], elements: result.map { Float($0) })
  }

  private func random(_ shape: [Int], seed: UInt64) -> Tensor {
    var random = RandomStream(seed: seed)
    return random.normal(shape)
  }

  /// Compares elements by the typical size of a sum of `inner` products of standard normal numbers.
  private func expectNear(
    _ actual: Tensor?, _ expected: Tensor, inner: Int, _ precision: Case, _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let typical = Float(max(inner, 1)).squareRoot()
    expectClose(
      actual, expected, relative: 0, absolute: precision.tolerance * typical, what,
      sourceLocation: sourceLocation)
  }

  /// Sizes that end within tiles, steps and panels.
  private static let sizes = [
    (1, 1, 1), (2, 5, 3), (7, 33, 31), (31, 40, 70), (32, 64, 32), (70, 70, 33), (3, 0, 5),
    (45, 530, 40),
  ]

  @Test(arguments: Case.all) func productsAndGradients(precision: Case) {
    for (rows, inner, columns) in Self.sizes {
      let name = "\(rows)x\(inner)x\(columns)"
      let (a, b) = (random([rows, inner], seed: 1), random([inner, columns], seed: 2))
      let up = random([rows, columns], seed: 3)
      let (x, y) = (a.tracked(), b.tracked())
      let slopes = precision.run { gradients(of: up) { x.matmul(y) } }
      let result = precision.run { a.matmul(b) }
      expectNear(result, product(a, b), inner: inner, precision, name)
      guard inner > 0 else { continue }
      expectNear(
        slopes[x], product(up, b.transposed([1, 0])), inner: columns, precision,
        "\(name), gradient of the left operand")
      expectNear(
        slopes[y], product(a.transposed([1, 0]), up), inner: rows, precision,
        "\(name), gradient of the right operand")
    }
  }

  @Test(arguments: Case.all, [Activation.identity, .relu, .mish])
  func linearLayers(precision: Case, activation: Activation) {
    for (rows, inner, columns) in Self.sizes {
      let name = "\(rows)x\(inner)x\(columns)"
      let (x, weight) = (random([rows, inner], seed: 4), random([columns, inner], seed: 5))
      let (bias, residual) = (random([columns], seed: 6), random([rows, columns], seed: 7))
      let sum = product(x, weight.transposed([1, 0])) + bias
      // No activation has a slope above 1.1.
      let found = precision.run { x.linear(weight: weight, bias: bias, activation: activation) }
      expectNear(found, sum.applying(activation), inner: inner, precision, name)
      let added = precision.run {
        x.linear(weight: weight, bias: bias, adding: residual, activation: activation)
      }
      expectNear(
        added, (sum + residual).applying(activation), inner: inner, precision, "\(name), residual")
    }
  }

  /// Sums of gradients go on where those of earlier shards ended.
  @Test(arguments: Case.all) func gradientsAddUp(precision: Case) {
    let (x, weight) = (random([90, 40], seed: 8), random([33, 40], seed: 9))
    let up = random([90, 33], seed: 10)
    let leaf = GradientLeaf()
    let step = precision.run {
      shardedValueAndGradients(count: 90, shardSize: 20, laneCount: 2) { range in
        let result = x.slice(range).linear(weight: weight.tracked(as: leaf))
        return ShardResult(loss: (result * up.slice(range)).sum())
      }
    }
    expectNear(
      step.gradients[leaf], product(up.transposed([1, 0]), x), inner: 90, precision, "gradient")
  }

  @Test(arguments: Case.all, [(33, 200, 40, false), (70, 330, 16, true), (8, 9, 40, false)])
  func attention(precision: Case, sizes: (Int, Int, Int, Bool)) {
    let (queries, keys, size, isCausal) = sizes
    let query = random([1, queries, size], seed: 11)
    let (key, value) = (random([1, keys, size], seed: 12), random([1, keys, size], seed: 13))
    let up = random([1, queries, size], seed: 14)
    func run() -> (Tensor, [Tensor?]) {
      let leaves = [query.tracked(), key.tracked(), value.tracked()]
      let slopes = gradients(of: up) {
        leaves[0].attention(keys: leaves[1], values: leaves[2], headCount: 1, isCausal: isCausal)
      }
      let result = query.attention(keys: key, values: value, headCount: 1, isCausal: isCausal)
      return (result, leaves.map { slopes[$0] })
    }
    // 32-bit floats, whose own error other tests bound.
    let (expected, expectedSlopes) = run()
    let (result, slopes) = precision.run(run)
    expectClose(result, expected, relative: precision.tolerance, "result")
    for (index, gradient) in expectedSlopes.enumerated() {
      guard let gradient else { continue }
      expectClose(
        slopes[index], gradient, relative: precision.tolerance, "gradient \(index)")
    }
    #expect(expectedSlopes.allSatisfy { $0 != nil })
    if precision.precision != .highest {
      #expect(result.elements != expected.elements, "the precision did not reach the products")
    }
  }

  /// Convolutions through patches, and Winograd's, which stay near 32-bit floats.
  @Test(arguments: Case.all) func convolutions(precision: Case) {
    let x = random([2, 9, 11, 16], seed: 15)
    for (out, kernel, stride, padding) in [
      (48, 3, 1, 1), (20, 3, 2, 1), (7, 1, 1, 0), (5, 5, 1, 2),
    ] {
      let weight = random([out, 16, kernel, kernel], seed: 16)
      let bias = random([out], seed: 17)
      func run() -> (Tensor, Tensor?, Tensor?) {
        let (input, tracked) = (x.tracked(), weight.tracked())
        let result = x.convolved2D(weight: weight, bias: bias, stride: stride, padding: padding)
        let up = random(result.shape, seed: 18)
        let slopes = gradients(of: up) {
          input.convolved2D(weight: tracked, bias: bias, stride: stride, padding: padding)
        }
        return (result, slopes[input], slopes[tracked])
      }
      let expected = run()
      let found = precision.run(run)
      let name = "\(kernel)x\(kernel), stride \(stride)"
      let isWinograd = kernel == 3 && stride == 1
      // Of the largest element. Transforms multiply the errors of `high`, which `medium` uses too.
      let tolerance =
        isWinograd && precision.precision != .highest ? 2e-4 : precision.tolerance
      expectClose(found.0, expected.0, relative: tolerance, name)
      expectClose(found.1, expected.1 ?? .zeros([]), relative: tolerance, "\(name), at x")
      expectClose(found.2, expected.2 ?? .zeros([]), relative: tolerance, "\(name), at the weight")
    }
    let line = random([3, 20, 12], seed: 19)
    let weight = random([9, 12, 5], seed: 20)
    let expected = line.convolved1D(weight: weight, padding: 2)
    let found = precision.run { line.convolved1D(weight: weight, padding: 2) }
    expectClose(found, expected, relative: precision.tolerance, "one dimension")
  }

  /// The log-probability of an action is the same in the batch that it was sampled in and in a
  /// minibatch, in any precision.
  @Test(arguments: Case.reduced) func rowsAreIndependentOfTheBatch(precision: Case) {
    let x = random([300, 39], seed: 21)
    let (weight, bias) = (random([70, 39], seed: 22), random([70], seed: 23))
    precision.run {
      let whole = x.linear(weight: weight, bias: bias, activation: .relu)
      for range in [0..<1, 5..<45, 123..<300] {
        let part = x.slice(range).linear(weight: weight, bias: bias, activation: .relu)
        #expect(part.elements == whole.slice(range).elements)
      }
    }
  }

  @Test(arguments: Case.reduced) func queriesAreIndependentOfOneAnother(precision: Case) {
    let query = random([1, 300, 24], seed: 24)
    let (key, value) = (random([1, 400, 24], seed: 25), random([1, 400, 24], seed: 26))
    precision.run {
      let whole = query.attention(keys: key, values: value, headCount: 2)
      for range in [0..<1, 5..<45, 123..<300] {
        let part = query.slice(range, along: 1).attention(keys: key, values: value, headCount: 2)
        #expect(part.elements == whole.slice(range, along: 1).elements)
      }
    }
  }

  /// A weight that is packed as it is used gives the bits of one that is kept packed.
  @Test(arguments: Case.reduced) func keptAndTransientPanelsAgree(precision: Case) {
    func unkept(_ weight: Tensor) -> Tensor {
      Tensor.concatenated([weight.slice(0..<1), weight], along: 0).slice(1..<(weight.shape[0] + 1))
    }
    precision.run {
      let x = random([40, 2_000], seed: 27)
      let weight = random([2_100, 2_000], seed: 28)
      #expect(weight.count > MatrixProducts.maxTransientCount)
      #expect(x.linear(weight: weight).elements == x.linear(weight: unkept(weight)).elements)
      let image = random([1, 9, 14, 32], seed: 29)
      let kernel = random([80, 32, 3, 3], seed: 30)
      #expect(
        image.convolved2D(weight: kernel, padding: 1).elements
          == image.convolved2D(weight: unkept(kernel), padding: 1).elements)
      let pixels = random([1, 5, 6, 1_000], seed: 31)
      let large = random([480, 1_000, 3, 3], seed: 32)
      #expect(
        pixels.convolved2D(weight: large, stride: 2, padding: 1).elements
          == pixels.convolved2D(weight: unkept(large), stride: 2, padding: 1).elements)
    }
  }

  /// One weight serves several precisions at a time.
  @Test func packedFormsOfPrecisionsAreApart() {
    let (x, weight) = (random([4, 50], seed: 33), random([6, 50], seed: 34))
    let highest = x.linear(weight: weight).elements
    for precision in Case.reduced {
      let reduced = precision.run { x.linear(weight: weight).elements }
      #expect(reduced != highest)
      #expect(x.linear(weight: weight).elements == highest)
      #expect(precision.run { x.linear(weight: weight).elements } == reduced)
    }
  }

  // MARK: Who follows it

  /// Gradients are computed as the operation was, wherever the walk back happens.
  @Test func gradientsFollowTheirOperation() {
    let medium = Case.reduced[1]
    let (x, weight) = (random([8, 64], seed: 35), random([8, 64], seed: 36))
    let up = random([8, 8], seed: 37)
    let tracked = x.tracked()
    let inside = medium.run { gradients(of: up) { tracked.linear(weight: weight) } }
    let outside = gradients(of: up) { medium.run { tracked.linear(weight: weight) } }
    let highest = gradients(of: up) { tracked.linear(weight: weight) }
    #expect(inside[tracked]?.elements == outside[tracked]?.elements)
    #expect(inside[tracked]?.elements != highest[tracked]?.elements)
  }

  /// Threads of the pool follow the thread whose loop they run.
  @Test func workersFollowTheCaller() {
    let medium = Case.reduced[1]
    let (x, weight) = (random([64, 33], seed: 38), random([20, 33], seed: 39))
    let expected = medium.run { x.linear(weight: weight) }
    let found = medium.run {
      shardedMap(count: 64, shardSize: 4) { range in
        #expect(Precision.current == .medium)
        return x.slice(range).linear(weight: weight)
      }
    }
    #expect(found.elements == expected.elements)
    #expect(Precision.current == .highest)
    WorkerPool.shared.forEach(64) { _ in #expect(Precision.current == .highest) }
  }

  @Test func precisionIsThatOfTheScope() throws {
    #expect(Precision.current == .highest)
    withPrecision(.high) {
      #expect(Precision.current == .high)
      withPrecision(.medium) { #expect(Precision.current == .medium) }
      #expect(Precision.current == .high)
    }
    #expect(Precision.current == .highest)
  }

  // MARK: What is no number

  @Test(arguments: Case.all) func infinitiesAndNaNComeOut(precision: Case) {
    let special: [Float] = [.infinity, -.infinity, .nan, 0, 1, -2.5, 300.7, 1e-3, 3.3e38]
    for a in special {
      for b in special {
        let expected = a * b
        let found = precision.run {
          Tensor(shape: [1, 1], elements: [a]).matmul(Tensor(shape: [1, 1], elements: [b])).scalar
        }
        // What overflows is rounded to infinity here and there.
        if a.isFinite, b.isFinite, !expected.isFinite || abs(expected) > 3e38 {
          #expect(!found.isFinite || abs(found) > 3e38, "\(a) x \(b)")
        } else if expected.isFinite {
          #expect(abs(found - expected) <= precision.tolerance * abs(expected), "\(a) x \(b)")
        } else {
          #expect(
            found.isNaN == expected.isNaN && (found.isNaN || found == expected), "\(a) x \(b)")
        }
      }
    }
  }

  /// An infinite element leaves other rows and columns alone.
  @Test(arguments: Case.reduced) func infinitiesStayInTheirRowAndColumn(precision: Case) {
    var (a, b) = (random([20, 40], seed: 40), random([40, 35], seed: 41))
    let before = precision.run { a.matmul(b) }.elements
    a.withUnsafeMutableElements { $0[3 * 40 + 7] = -.infinity }
    b.withUnsafeMutableElements { $0[9 * 35 + 33] = .infinity }
    let after = precision.run { a.matmul(b) }.elements
    for i in 0..<20 {
      for j in 0..<35 {
        let value = after[i * 35 + j]
        if i == 3 || j == 33 {
          #expect(!value.isFinite)
        } else {
          #expect(value == before[i * 35 + j])
        }
      }
    }
  }

  // MARK: The user's choice

  @Test func choicesOfTheProduct() throws {
    #expect(try MatrixKernels(choice: "float32") == MatrixKernels(all: .float32))
    #expect(try MatrixKernels(choice: "emulate-amx") == .emulatedAMX)
    #expect(try MatrixKernels(choice: "") == .ofThisProcessor)
    #expect(throws: MatrixProductError.self) { try MatrixKernels(choice: "amx") }
  }

  /// A precision without instructions is computed as `highest`.
  @Test func whatIsMissingIsComputedAsHighest() {
    let kernels = MatrixKernels.ofThisProcessor
    #expect(kernels.highest.readsFloats)
    for kernel in [kernels.high, kernels.medium] where !kernel.readsFloats {
      #expect(kernel.isAvailable)
    }
    #expect(MatrixKernels.emulatedAVX512[.high] == .float32)
    let (x, weight) = (random([8, 64], seed: 42), random([8, 64], seed: 43))
    let high = Case(precision: .high, kernels: .emulatedAVX512, tolerance: 0)
    let highest = Case(precision: .highest, kernels: .emulatedAVX512, tolerance: 0)
    #expect(
      high.run { x.linear(weight: weight).elements }
        == highest.run { x.linear(weight: weight).elements })
  }
}

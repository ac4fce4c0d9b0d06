import TestSupport
import Testing

@testable import Tensors

/// However an operand was packed, products with it are those of its matrix.
@Suite struct PackedOperandTests {
  private static let (rows, inner) = (5, 7)

  /// Left `[5, 7]`, and a matrix `[7, columns]`, row-major.
  private func operands(columns: Int) -> (left: Tensor, matrix: Tensor) {
    var random = RandomStream(seed: 4, purpose: "packed operands")
    return (random.normal([Self.rows, Self.inner]), random.normal([Self.inner, columns]))
  }

  private func product(_ left: Tensor, _ operand: PackedOperand, at index: Int = 0) -> [Float] {
    Tensor(shape: [Self.rows, operand.columns]) { result in
      left.withUnsafeElements { left in
        operand.multiply(
          .init(left.baseAddress!, width: Self.inner), rows: Self.rows, at: index,
          into: result.baseAddress!, stride: operand.columns)
      }
    }.elements
  }

  @Test(arguments: [1, 31, 32, 33, 70]) func rowsPackedApartAreThoseOfTheWhole(columns: Int) {
    let (left, matrix) = operands(columns: columns)
    let apart = PackedOperand(inner: Self.inner, columns: columns)
    matrix.withUnsafeElements { elements in
      for rows in [0..<3, 3..<7] {
        apart.pack(
          MatrixProducts.Matrix(elements.baseAddress!, width: columns).fromRow(rows.lowerBound),
          rows: rows, from: 0)
      }
    }
    #expect(product(left, apart) == left.matmul(matrix).elements)
  }

  /// A stack of whole panels is read as it lies, others are packed.
  @Test(arguments: [20, 32, 64]) func stacksAreTheirMatrices(columns: Int) {
    let (left, first) = operands(columns: columns)
    let second = first * 2 + 1
    let stack = TensorStorage(count: 2 * first.count)
    for (index, matrix) in [first, second].enumerated() {
      matrix.withUnsafeElements {
        (stack.elements + index * first.count).update(from: $0.baseAddress!, count: first.count)
      }
    }
    let packed = PackedOperand(
      stack: stack, inner: Self.inner, columns: columns, matrixCount: 2)
    #expect(product(left, packed, at: 0) == left.matmul(first).elements)
    #expect(product(left, packed, at: 1) == left.matmul(second).elements)
  }
}

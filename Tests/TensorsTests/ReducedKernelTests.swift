import CKernels
import Testing

@testable import Tensors

/// The kernels in bfloat16 against what Intel documents of their instructions, step by step; and the
/// real instructions, where there are some, against the emulated ones.
@Suite struct ReducedKernelTests {
  /// Operands of a product, of awkward sizes and with numbers of very different size.
  private struct Operands {
    let (rows, inner, columns): (Int, Int, Int)
    let left, right, bias, start: [Float]

    init(_ rows: Int, _ inner: Int, _ columns: Int, spread: Bool = false) {
      (self.rows, self.inner, self.columns) = (rows, inner, columns)
      var random = RandomStream(seed: UInt64(rows * 1_000_003 + inner * 1_009 + columns))
      func numbers(_ count: Int) -> [Float] {
        let values = random.normal([count]).elements
        guard spread else { return values }
        // Down to denormal numbers and up to where products overflow.
        let exponents = random.uniform([count], in: -140..<90).elements
        return zip(values, exponents).map {
          $0 * Float(sign: .plus, exponent: Int($1), significand: 1)
        }
      }
      left = numbers(rows * inner)
      right = numbers(inner * columns)
      bias = numbers(columns)
      start = numbers(rows * columns)
    }

    /// The product by a kernel.
    ///
    /// - Parameters:
    ///   - accumulates: whether it is added to `start`; else the bias is added.
    ///   - isTransposed: whether the left operand lies by columns.
    ///   - isPrepared: whether it is prepared first; without a bias then.
    func product(
      _ kernel: MatrixKernel, accumulates: Bool, isTransposed: Bool = false,
      isPrepared: Bool = false
    ) -> [Float] {
      let packed = TensorStorage(count: attune_packed_size(kernel.number, inner, columns))
      attune_pack_panels(
        kernel.number, inner, 0, inner, 0, columns, right, columns, 1, packed.elements)
      var left = left
      if isTransposed {
        left = (0..<rows * inner).map { self.left[$0 % rows * inner + $0 / rows] }
      }
      let (rowStride, columnStride) = isTransposed ? (1, rows) : (inner, 1)
      var result = start
      let panels = PackedOperand.panelCount(columns: columns)
      if isPrepared {
        let prepared = TensorStorage(count: attune_left_size(kernel.number, rows, inner))
        attune_prepare_left(
          kernel.number, rows, inner, left, rowStride, columnStride, prepared.elements)
        attune_prepared_product(
          kernel.number, rows, columns, inner, prepared.elements, packed.elements, 0, panels,
          &result, columns, accumulates)
      } else {
        attune_matrix_product(
          kernel.number, rows, columns, inner, left, rowStride, columnStride, packed.elements, 0,
          panels, accumulates ? nil : bias, &result, columns, accumulates)
      }
      return result
    }

    /// The same by the documentation, one element after the other.
    func documented(_ kernel: MatrixKernel, accumulates: Bool) -> [Float] {
      var result = start
      for i in 0..<rows {
        for j in 0..<columns {
          let row = (0..<inner).map { left[i * inner + $0] }
          let column = (0..<inner).map { right[$0 * columns + j] }
          var sum = accumulates ? start[i * columns + j] : 0
          switch kernel {
          case .emulatedDots: sum = Documented.dots(sum, row, column)
          case .emulatedTiles:
            sum = Documented.tiles(
              sum, [(row.map(Documented.rounded), column.map(Documented.rounded))])
          default:
            let (a, b) = (row.map(Documented.split), column.map(Documented.split))
            let (high, low) = (a.map(\.high), a.map(\.low))
            sum = Documented.tiles(
              sum, [(high, b.map(\.low)), (high, b.map(\.high)), (low, b.map(\.high))])
          }
          result[i * columns + j] = accumulates ? sum : sum + bias[j]
        }
      }
      return result
    }
  }

  private static let emulated = [
    MatrixKernel.emulatedTiles, .emulatedSplitTiles, .emulatedDots,
  ]
  private static let sizes = [
    (1, 1, 1), (1, 40, 7), (3, 0, 5), (7, 33, 31), (16, 32, 16), (17, 33, 16), (32, 64, 32),
    (33, 65, 70), (70, 31, 48), (5, 600, 33), (130, 20, 40),
  ]

  /// Bits of all but NaN, whose payload the documentation leaves to the processor.
  private func bits(_ values: [Float]) -> [UInt32] {
    values.map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern }
  }

  @Test(arguments: emulated, [false, true])
  func emulationIsAsDocumented(kernel: MatrixKernel, spread: Bool) {
    for (rows, inner, columns) in Self.sizes {
      let operands = Operands(rows, inner, columns, spread: spread)
      for accumulates in [false, true] {
        let expected = bits(operands.documented(kernel, accumulates: accumulates))
        for isTransposed in [false, true] {
          let found = operands.product(kernel, accumulates: accumulates, isTransposed: isTransposed)
          #expect(bits(found) == expected, "\(rows)x\(inner)x\(columns), \(accumulates)")
        }
      }
      let prepared = operands.product(kernel, accumulates: true, isPrepared: true)
      let whole = operands.product(kernel, accumulates: true)
      #expect(bits(prepared) == bits(whole), "\(rows)x\(inner)x\(columns), prepared")
    }
  }

  /// Rounding to nearest even, of what the documentation names one by one.
  @Test func roundingIsAsDocumented() {
    let cases: [(Float, UInt32)] = [
      (1, 0x3f80), (0x1.01p0, 0x3f80), (0x1.03p0, 0x3f82), (0x1.0101p0, 0x3f81), (-0.0, 0x8000),
      (.leastNormalMagnitude, 0x0080), (-.leastNonzeroMagnitude, 0x8000), (0x1p-127, 0),
      (.infinity, 0x7f80), (.greatestFiniteMagnitude, 0x7f80), (0x1.fep127, 0x7f7f),
      (.nan, 0x7fc0), (Float(bitPattern: 0x7f80_0001), 0x7fc0),
    ]
    for (value, expected) in cases {
      let packed = TensorStorage(count: attune_packed_size(attune_kernel_emulated_tiles, 1, 1))
      var value = value
      attune_pack_panels(
        attune_kernel_emulated_tiles, 1, 0, 1, 0, 1, &value, 1, 1, packed.elements)
      #expect(packed.elements[0].bitPattern == expected, "\(value)")
      #expect(Documented.rounded(value).bitPattern == expected << 16, "\(value)")
    }
  }

  /// Whatever way a matrix lies and in whatever parts it comes.
  @Test(arguments: emulated, [1, 31, 32, 33, 96, 100])
  func packingDoesNotDependOnTheLayout(kernel: MatrixKernel, inner: Int) {
    for columns in [1, 31, 32, 70] {
      let operands = Operands(1, inner, columns)
      let count = attune_packed_size(kernel.number, inner, columns)
      func packed(_ pack: (UnsafeMutablePointer<Float>) -> Void) -> [UInt32] {
        let storage = TensorStorage(count: count)
        // What is left over must be written too.
        storage.elements.update(repeating: .nan, count: count)
        pack(storage.elements)
        return (0..<count).map { storage.elements[$0].bitPattern }
      }
      let whole = packed {
        attune_pack_panels(
          kernel.number, inner, 0, inner, 0, columns, operands.right, columns, 1, $0)
      }
      let byColumns = (0..<inner * columns).map {
        operands.right[$0 % inner * columns + $0 / inner]
      }
      #expect(
        whole
          == packed {
            attune_pack_panels(kernel.number, inner, 0, inner, 0, columns, byColumns, 1, inner, $0)
          })
      #expect(
        whole
          == packed { elements in
            let cut = inner * 2 / 3
            for rows in [0..<cut, cut..<inner] where !rows.isEmpty {
              let part = Array(
                operands.right[rows.lowerBound * columns..<rows.upperBound * columns])
              attune_pack_panels(
                kernel.number, inner, rows.lowerBound, rows.count, 0, columns, part, columns, 1,
                elements)
            }
          })
    }
  }

  private static let realTiles = [
    (MatrixKernel.tiles, MatrixKernel.emulatedTiles), (.splitTiles, .emulatedSplitTiles),
  ]

  @Test(
    .enabled(if: MatrixKernel.tiles.isAvailable, "this processor has no AMX, or may not use it"))
  func tilesAreAsEmulated() {
    for (real, emulated) in Self.realTiles { expectSameBits(real, emulated) }
  }

  @Test(.enabled(if: MatrixKernel.dots.isAvailable, "this processor has no AVX-512 BF16"))
  func dotsAreAsEmulated() { expectSameBits(.dots, .emulatedDots) }

  private func expectSameBits(_ real: MatrixKernel, _ emulated: MatrixKernel) {
    for (rows, inner, columns) in Self.sizes + [(300, 1_100, 70)] {
      for spread in [false, true] {
        let operands = Operands(rows, inner, columns, spread: spread)
        for accumulates in [false, true] {
          for isTransposed in [false, true] {
            let found = operands.product(real, accumulates: accumulates, isTransposed: isTransposed)
            let expected = operands.product(
              emulated, accumulates: accumulates, isTransposed: isTransposed)
            #expect(bits(found) == bits(expected), "\(real): \(rows)x\(inner)x\(columns)")
          }
        }
        let prepared = operands.product(real, accumulates: true, isPrepared: true)
        #expect(bits(prepared) == bits(operands.product(emulated, accumulates: true)))
      }
    }
  }
}

/// Intel's documentation of the instructions, one element at a time: neither operands nor results are
/// denormal, multiply-adds are fused.
private enum Documented {
  static func flushed(_ x: Float) -> Float { x.isSubnormal ? (x.sign == .minus ? -0.0 : 0) : x }

  static func rounded(_ x: Float) -> Float {
    if x.isNaN { return Float(bitPattern: (x.bitPattern | 0x40_0000) & 0xffff_0000) }
    guard x.isFinite else { return x }
    let bits = flushed(x).bitPattern
    return Float(bitPattern: (bits + 0x7fff + bits >> 16 & 1) & 0xffff_0000)
  }

  /// Two parts; neither is infinite less infinite.
  static func split(_ x: Float) -> (high: Float, low: Float) {
    var high = rounded(x)
    if x.isInfinite {
      high = x > 0 ? 1 : -1
    } else if high.isInfinite {
      high = x > 0 ? 0x1.fep127 : -0x1.fep127
    }
    return (high, rounded(x - high))
  }

  private static func adding(_ a: Float, _ b: Float, to sum: Float) -> Float {
    flushed(flushed(sum).addingProduct(flushed(a), flushed(b)))
  }

  /// vdpbf16ps: of each pair, the second product is added first.
  static func dots(_ start: Float, _ row: [Float], _ column: [Float]) -> Float {
    var sum = start
    for pair in stride(from: 0, to: row.count, by: 2) {
      let second =
        pair + 1 < row.count ? (rounded(row[pair + 1]), rounded(column[pair + 1])) : (0, 0)
      sum = adding(second.0, second.1, to: sum)
      sum = adding(rounded(row[pair]), rounded(column[pair]), to: sum)
    }
    return sum
  }

  /// tdpbf16ps, 32 products at a time of each of some pairs of operands: two chains, whose sum is
  /// added.
  static func tiles(_ start: Float, _ operands: [(row: [Float], column: [Float])]) -> Float {
    var sum = start
    for first in stride(from: 0, to: operands[0].row.count, by: 32) {
      for (row, column) in operands {
        var chains: (Float, Float) = (0, 0)
        for k in first..<first + 32 {
          let (a, b) = k < row.count ? (row[k], column[k]) : (0, 0)
          if k.isMultiple(of: 2) {
            chains.0 = adding(a, b, to: chains.0)
          } else {
            chains.1 = adding(a, b, to: chains.1)
          }
        }
        sum = flushed(flushed(sum) + flushed(chains.0 + chains.1))
      }
    }
    return sum
  }
}

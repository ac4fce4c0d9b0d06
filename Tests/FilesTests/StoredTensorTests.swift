import Tensors
import Testing

@testable import Files

struct StoredTensorTests {
  @Test func everyHalfPrecisionNumberIsConverted() {
    for bits in UInt16.min...UInt16.max {
      let expected = Float(Float16(bitPattern: bits))
      let actual = HalfPrecision.float(fromFloat16: bits)
      if expected.isNaN {
        #expect(actual.isNaN)
      } else if actual.bitPattern != expected.bitPattern {
        Issue.record("\(bits): \(actual), not \(expected)")
      }
      // Every half-precision number comes back as itself.
      if !expected.isNaN, HalfPrecision.float16(actual) != bits {
        Issue.record("\(actual): \(HalfPrecision.float16(actual)), not \(bits)")
      }
    }
  }

  /// Around every place where rounding changes its mind: half-way points and their neighbours.
  @Test func halfPrecisionRoundsToNearestEven() {
    var mistakes = 0
    func check(_ float: Float) {
      if HalfPrecision.float16(float) != Float16(float).bitPattern { mistakes += 1 }
    }
    for bits in UInt16.min..<0x7C00 {
      let low = Float(Float16(bitPattern: bits))
      let high = bits == 0x7BFF ? 65536 : Float(Float16(bitPattern: bits + 1))
      let middle = (low + high) / 2
      for float in [middle, middle.nextUp, middle.nextDown, low.nextUp] {
        check(float)
        check(-float)
      }
    }
    for float in [
      Float.infinity, -.infinity, 1e30, -1e30, 0, -0.0, .leastNonzeroMagnitude,
      .leastNormalMagnitude,
    ] {
      check(float)
    }
    #expect(mistakes == 0)
    #expect(Float16(bitPattern: HalfPrecision.float16(.nan)).isNaN)
    // The payload of this one lies in the bits that are cut off.
    #expect(Float16(bitPattern: HalfPrecision.float16(Float(bitPattern: 0x7F80_0001))).isNaN)
  }

  @Test func brainFloatRoundsToNearestEven() {
    let cases: [(Float, UInt16)] = [
      (1, 0x3F80), (-2, 0xC000), (0, 0), (-0.0, 0x8000),
      (Float(bitPattern: 0x3F80_8000), 0x3F80),  // half-way, even stays
      (Float(bitPattern: 0x3F81_8000), 0x3F82),  // half-way, odd goes up
      (Float(bitPattern: 0x3F80_8001), 0x3F81), (Float(bitPattern: 0x3F80_7FFF), 0x3F80),
      (.greatestFiniteMagnitude, 0x7F80), (.infinity, 0x7F80), (-.infinity, 0xFF80),
    ]
    for (float, expected) in cases {
      #expect(HalfPrecision.bfloat16(float) == expected, "\(float)")
    }
    #expect(HalfPrecision.float(fromBFloat16: HalfPrecision.bfloat16(.nan)).isNaN)
    let cutPayload = HalfPrecision.bfloat16(Float(bitPattern: 0x7F80_0001))
    #expect(HalfPrecision.float(fromBFloat16: cutPayload).isNaN)
  }

  @Test(arguments: [ElementType.float64, .float32, .float16, .bfloat16])
  func tensorsComeBack(as elementType: ElementType) {
    // More than one worker's block, of numbers that every type can hold.
    let count = 300_000
    let tensor = Tensor(shape: [2, count / 2], elements: (0..<count).map { Float($0 % 255) - 127 })
    let stored = StoredTensor(tensor, as: elementType)
    #expect(stored.elementType == elementType)
    #expect(stored.byteCount == count * elementType.byteCount)
    let back = Tensor(stored)
    #expect(back.shape == tensor.shape)
    #expect(back.elements == tensor.elements)
  }

  @Test func integersComeBackAndConvert() {
    let cases: [(ElementType, [Int])] = [
      (.int64, [.min, -1, 0, .max]), (.int32, [-(1 << 31), 1 << 31 - 1, 0, 5]),
      (.int16, [-32768, 32767, 0, 1]), (.int8, [-128, 127, 0, 1]), (.uint8, [0, 255, 128, 1]),
      (.bool, [0, 1, 1, 0]),
    ]
    for (elementType, integers) in cases {
      let stored = StoredTensor(shape: [2, 2], integers: integers, as: elementType)
      #expect(stored.integers == integers)
      #expect(Tensor(stored).shape == [2, 2])
      #expect(Tensor(stored).elements == integers.map { Float($0) })
    }
    #expect(StoredTensor(Tensor([1])).integers == nil)
  }

  @Test func anyByteButZeroIsTrue() {
    let stored = StoredTensor(.bool, shape: [3], bytes: Bytes(copying: [0, 1, 7]))
    #expect(stored.integers == [0, 1, 1])
    #expect(Tensor(stored).elements == [0, 1, 1])
  }

  @Test func bytesNeedNotBeAligned() {
    let floats = StoredTensor(Tensor([1, -2, 3.5]))
    let shifted = Bytes(copying: [9] + floats.withUnsafeBytes { Array($0) })
    let stored = StoredTensor(.float32, shape: [3], bytes: shifted[1..<13])
    #expect(Tensor(stored).elements == [1, -2, 3.5])
    #expect(stored.doubles == [1, -2, 3.5])
  }

  @Test func doublesKeepTheirPrecision() {
    let stored = StoredTensor(shape: [2], doubles: [0.1, 1e300])
    #expect(stored.doubles == [0.1, 1e300])
    #expect(Tensor(stored).elements == [0.1, .infinity])
  }

  @Test func stridedViewsAreGathered() {
    let bytes = StoredTensor(shape: [24], integers: Array(0..<24), as: .int16).bytes
    func integers(_ shape: [Int], _ strides: [Int]) -> [Int]? {
      StridedTensor(.int16, shape: shape, strides: strides).stored(in: bytes).integers
    }
    #expect(integers([2, 3], [1, 2]) == [0, 2, 4, 1, 3, 5])
    #expect(integers([2, 2, 3], [12, 1, 4]) == [0, 4, 8, 1, 5, 9, 12, 16, 20, 13, 17, 21])
    #expect(integers([3, 2], [0, 5]) == [0, 5, 0, 5, 0, 5])
    #expect(integers([4], [6]) == [0, 6, 12, 18])
    #expect(integers([], []) == [0])
    #expect(integers([2, 0, 3], [9, 9, 9]) == [])
    #expect(StridedTensor.fortranStrides([2, 3, 4]) == [1, 2, 6])
  }

  @Test func spansAreChecked() {
    #expect(StridedTensor(.int8, shape: [3, 4], strides: [4, 1]).span == 12)
    #expect(StridedTensor(.int8, shape: [3, 4], strides: [1, 3]).span == 12)
    #expect(StridedTensor(.int8, shape: [3], strides: [-1]).span == nil)
    #expect(StridedTensor(.int8, shape: [.max, .max], strides: [1, 1]).count == nil)
    #expect(StridedTensor(.int8, shape: [2, 2], strides: [.max, .max]).span == nil)
    #expect(StridedTensor(.int8, shape: [0, .max], strides: [.max, .max]).span == 0)
    // Nobody may compute strides of such a shape.
    #expect(Checked.elementCount([0, .max, .max]) == nil)
    #expect(Checked.elementCount([-1, 0]) == nil)
    #expect(Checked.byteCount(shape: [.max / 4], of: .float64) == nil)
  }
}

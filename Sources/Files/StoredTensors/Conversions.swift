import Tensors

extension Tensor {
  /// Converts stored elements to float32: narrower ones exactly, float64 and integers rounded to
  /// nearest, booleans to 0 and 1.
  public init(_ stored: StoredTensor) {
    self.init(shape: stored.shape) { floats in
      stored.withUnsafeBytes { bytes in
        switch stored.elementType {
        case .float32:
          UnsafeMutableRawBufferPointer(floats).copyMemory(from: bytes)
        case .float64: convert(bytes, to: floats) { Float(Double(bitPattern: $0)) }
        case .float16: convert(bytes, to: floats, HalfPrecision.float(fromFloat16:))
        case .bfloat16: convert(bytes, to: floats, HalfPrecision.float(fromBFloat16:))
        case .int64: convert(bytes, to: floats) { (element: Int64) in Float(element) }
        case .int32: convert(bytes, to: floats) { (element: Int32) in Float(element) }
        case .int16: convert(bytes, to: floats) { (element: Int16) in Float(element) }
        case .int8: convert(bytes, to: floats) { (element: Int8) in Float(element) }
        case .uint64: convert(bytes, to: floats) { (element: UInt64) in Float(element) }
        case .uint32: convert(bytes, to: floats) { (element: UInt32) in Float(element) }
        case .uint16: convert(bytes, to: floats) { (element: UInt16) in Float(element) }
        case .uint8: convert(bytes, to: floats) { (element: UInt8) in Float(element) }
        case .bool: convert(bytes, to: floats) { (element: UInt8) in element == 0 ? 0 : 1 }
        }
      }
    }
  }
}

extension StoredTensor {
  /// Stores a tensor, rounding to nearest, ties to even, where the type is narrower than float32.
  ///
  /// - Parameters:
  ///   - tensor: what to store.
  ///   - elementType: a floating-point type.
  public init(_ tensor: Tensor, as elementType: ElementType = .float32) {
    precondition(
      elementType.isFloatingPoint, "a tensor of floats is not stored as \(elementType.rawValue)")
    self.init(elementType, shape: tensor.shape, count: tensor.count) { bytes in
      tensor.withUnsafeElements { floats in
        switch elementType {
        case .float32: bytes.copyMemory(from: UnsafeRawBufferPointer(floats))
        case .float16: convert(floats, to: bytes, HalfPrecision.float16)
        case .bfloat16: convert(floats, to: bytes, HalfPrecision.bfloat16)
        default: convert(floats, to: bytes) { Double($0).bitPattern }
        }
      }
    }
  }

  /// The elements of an integer or boolean tensor; nil for floating-point ones, and where an element
  /// is beyond 2^63 - 1.
  public var integers: [Int]? {
    switch elementType {
    case .int64: elements { (element: Int64) in Int(element) }
    case .int32: elements { (element: Int32) in Int(element) }
    case .int16: elements { (element: Int16) in Int(element) }
    case .int8: elements { (element: Int8) in Int(element) }
    case .uint64: signed(elements { (element: UInt64) in element })
    case .uint32: elements { (element: UInt32) in Int(element) }
    case .uint16: elements { (element: UInt16) in Int(element) }
    case .uint8: elements { (element: UInt8) in Int(element) }
    case .bool: elements { (element: UInt8) in element == 0 ? 0 : 1 }
    case .float64, .float32, .float16, .bfloat16: nil
    }
  }

  /// The elements in double precision, which is exact but for integers beyond 2^53.
  public var doubles: [Double] {
    switch elementType {
    case .float64: elements { Double(bitPattern: $0) }
    case .float32: elements { Double(Float(bitPattern: $0)) }
    case .float16: elements { Double(HalfPrecision.float(fromFloat16: $0)) }
    case .bfloat16: elements { Double(HalfPrecision.float(fromBFloat16: $0)) }
    case .int64: elements { (element: Int64) in Double(element) }
    case .int32: elements { (element: Int32) in Double(element) }
    case .int16: elements { (element: Int16) in Double(element) }
    case .int8: elements { (element: Int8) in Double(element) }
    case .uint64: elements { (element: UInt64) in Double(element) }
    case .uint32: elements { (element: UInt32) in Double(element) }
    case .uint16: elements { (element: UInt16) in Double(element) }
    case .uint8: elements { (element: UInt8) in Double(element) }
    case .bool: elements { (element: UInt8) in element == 0 ? 0 : 1 }
    }
  }

  /// Nil if one of the elements is too large.
  private func signed(_ elements: [UInt64]) -> [Int]? {
    elements.allSatisfy { $0 <= UInt64(Int.max) } ? elements.map { Int($0) } : nil
  }

  private func elements<Stored: FixedWidthInteger, Element>(
    _ element: (Stored) -> Element
  ) -> [Element] {
    withUnsafeBytes { bytes in
      Array(unsafeUninitializedCapacity: count) { elements, initializedCount in
        convert(bytes, to: elements, element)
        initializedCount = count
      }
    }
  }
}

/// Iterations that one worker takes at a time: enough to be worth waking it.
private let blockSize = 1 << 18

@inline(__always)
private func convert<Stored: FixedWidthInteger, Element>(
  _ bytes: UnsafeRawBufferPointer, to elements: UnsafeMutableBufferPointer<Element>,
  _ element: (Stored) -> Element
) {
  guard let source = bytes.baseAddress, let target = elements.baseAddress else { return }
  let count = bytes.count / MemoryLayout<Stored>.size
  WorkerPool.shared.forEach((count + blockSize - 1) / blockSize) { block in
    for index in (block * blockSize)..<min(count, (block + 1) * blockSize) {
      let offset = index &* MemoryLayout<Stored>.size
      let stored = source.loadUnaligned(fromByteOffset: offset, as: Stored.self)
      (target + index).initialize(to: element(Stored(littleEndian: stored)))
    }
  }
}

@inline(__always)
private func convert<Stored: FixedWidthInteger>(
  _ floats: UnsafeBufferPointer<Float>, to bytes: UnsafeMutableRawBufferPointer,
  _ stored: (Float) -> Stored
) {
  guard let source = floats.baseAddress, let target = bytes.baseAddress else { return }
  let elements = target.bindMemory(to: Stored.self, capacity: floats.count)
  WorkerPool.shared.forEach((floats.count + blockSize - 1) / blockSize) { block in
    for index in (block * blockSize)..<min(floats.count, (block + 1) * blockSize) {
      elements[index] = stored(source[index]).littleEndian
    }
  }
}

/// Conversions between the bits of 16-bit and 32-bit floats, without branches, so that loops over
/// them become vector code on processors that have no instruction for it.
enum HalfPrecision {
  @inline(__always)
  static func float(fromFloat16 bits: UInt16) -> Float {
    let magnitude = UInt32(bits & 0x7FFF) &<< 13
    // Multiplying by 2^112 moves the exponent's bias from 15 to 127, subnormal numbers included.
    let scaled = (Float(bitPattern: magnitude) * 0x1p112).bitPattern
    let isFinite = magnitude < 0x0F80_0000
    let sign = UInt32(bits & 0x8000) &<< 16
    return Float(bitPattern: sign | (isFinite ? scaled : magnitude | 0x7F80_0000))
  }

  /// Rounds to nearest, ties to even; too large a number becomes infinite.
  @inline(__always)
  static func float16(_ float: Float) -> UInt16 {
    let bits = float.bitPattern
    let sign = UInt16(truncatingIfNeeded: bits &>> 16) & 0x8000
    let magnitude = bits & 0x7FFF_FFFF
    // Normal numbers: move the exponent's bias from 127 to 15, then add half of the last place that
    // stays, less one where that place is even.
    let odd = (magnitude &>> 13) & 1
    let normal = (magnitude &- 0x3800_0000 &+ 0xFFF &+ odd) &>> 13
    // Subnormal numbers: adding 0.5 aligns the mantissa and rounds it.
    let subnormal = (Float(bitPattern: magnitude) + 0.5).bitPattern &- 0x3F00_0000
    let rounded = magnitude < 0x3880_0000 ? subnormal : normal
    let finite = magnitude >= 0x4780_0000 ? 0x7C00 : rounded
    let quietNaN = 0x7E00 | ((magnitude &>> 13) & 0x3FF)
    return sign | UInt16(truncatingIfNeeded: magnitude > 0x7F80_0000 ? quietNaN : finite)
  }

  @inline(__always)
  static func float(fromBFloat16 bits: UInt16) -> Float {
    Float(bitPattern: UInt32(bits) &<< 16)
  }

  /// Rounds to nearest, ties to even.
  @inline(__always)
  static func bfloat16(_ float: Float) -> UInt16 {
    let bits = float.bitPattern
    let rounded = (bits &+ 0x7FFF &+ ((bits &>> 16) & 1)) &>> 16
    let quietNaN = (bits &>> 16) | 0x40
    return UInt16(truncatingIfNeeded: bits & 0x7FFF_FFFF > 0x7F80_0000 ? quietNaN : rounded)
  }
}

import Tensors

/// A tensor as it lies in a file: elements of any stored type, row-major, little-endian.
///
/// Reading a file gives these without converting or, where the file is mapped, even loading them;
/// `Tensor(_:)` converts to float32.
public struct StoredTensor: Sendable {
  /// The type of the elements.
  public let elementType: ElementType
  /// The size of each dimension, outermost first; empty for a scalar.
  public let shape: [Int]
  let bytes: Bytes

  /// Adopts bytes whose count was checked against the shape.
  init(_ elementType: ElementType, shape: [Int], bytes: Bytes) {
    precondition(
      Checked.byteCount(shape: shape, of: elementType) == bytes.count,
      "\(bytes.count) bytes for \(elementType.rawValue) \(shape)")
    self.elementType = elementType
    self.shape = shape
    self.bytes = bytes
  }

  /// The number of elements.
  public var count: Int { bytes.count / elementType.byteCount }

  /// The number of bytes.
  public var byteCount: Int { bytes.count }

  /// Calls `body` with the elements' bytes, which need not be aligned.
  public func withUnsafeBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try bytes.withUnsafeBytes(body)
  }
}

extension StoredTensor {
  /// Stores integers; each must fit the type.
  public init(shape: [Int], integers: [Int], as elementType: ElementType = .int64) {
    self.init(elementType, shape: shape, count: integers.count) { bytes in
      switch elementType {
      case .int64: store(integers, in: bytes, as: Int64.self)
      case .int32: store(integers, in: bytes, as: Int32.self)
      case .int16: store(integers, in: bytes, as: Int16.self)
      case .int8: store(integers, in: bytes, as: Int8.self)
      case .uint64: store(integers, in: bytes, as: UInt64.self)
      case .uint32: store(integers, in: bytes, as: UInt32.self)
      case .uint16: store(integers, in: bytes, as: UInt16.self)
      case .uint8, .bool: store(integers, in: bytes, as: UInt8.self)
      case .float64, .float32, .float16, .bfloat16:
        preconditionFailure("integers are not stored as \(elementType.rawValue)")
      }
    }
  }

  /// Stores booleans.
  public init(shape: [Int], booleans: [Bool]) {
    self.init(shape: shape, integers: booleans.map { $0 ? 1 : 0 }, as: .bool)
  }

  /// Stores bytes, such as the pixels of an image.
  public init(shape: [Int], uint8s: [UInt8]) {
    self.init(.uint8, shape: shape, count: uint8s.count) { $0.copyBytes(from: uint8s) }
  }

  /// Stores double-precision numbers.
  public init(shape: [Int], doubles: [Double]) {
    self.init(.float64, shape: shape, count: doubles.count) { bytes in
      doubles.withUnsafeBytes { bytes.copyMemory(from: $0) }
    }
  }

  /// The same elements in another shape, which must have as many.
  public func reshaped(_ shape: [Int]) -> StoredTensor {
    StoredTensor(elementType, shape: shape, bytes: bytes)
  }

  /// The same elements with the bytes of each the other way round: what a big-endian file holds.
  var byteSwapped: StoredTensor {
    switch elementType.byteCount {
    case 8: swapping(UInt64.self)
    case 4: swapping(UInt32.self)
    case 2: swapping(UInt16.self)
    default: self
    }
  }

  private func swapping<Word: FixedWidthInteger>(_ type: Word.Type) -> StoredTensor {
    StoredTensor(elementType, shape: shape, count: count) { target in
      let words = target.bindMemory(to: type)
      withUnsafeBytes { source in
        for index in words.indices {
          let word = source.loadUnaligned(
            fromByteOffset: index &* MemoryLayout<Word>.size, as: type)
          words[index] = word.byteSwapped
        }
      }
    }
  }

  /// Allocates elements for `initialize` to write, all of them.
  init(
    _ elementType: ElementType, shape: [Int], count: Int,
    initializingWith initialize: (UnsafeMutableRawBufferPointer) -> Void
  ) {
    precondition(
      Checked.elementCount(shape) == count, "shape \(shape) does not have \(count) elements")
    let byteCount = count * elementType.byteCount
    let buffer = ByteBuffer(capacity: byteCount)
    initialize(buffer.memory)
    self.init(elementType, shape: shape, bytes: buffer.bytes(count: byteCount))
  }
}

private func store<Stored: FixedWidthInteger>(
  _ integers: [Int], in bytes: UnsafeMutableRawBufferPointer, as type: Stored.Type
) {
  let elements = bytes.bindMemory(to: Stored.self)
  for (index, integer) in integers.enumerated() {
    guard let element = Stored(exactly: integer) else {
      preconditionFailure("\(integer) does not fit \(type)")
    }
    elements[index] = element.littleEndian
  }
}

extension StoredTensor: CustomStringConvertible {
  /// The type and shape, as in `float32 [2, 3]`.
  public var description: String { "\(elementType.rawValue) \(shape)" }
}

/// The type of a stored tensor's elements.
public enum ElementType: String, Sendable, CaseIterable {
  /// IEEE double precision.
  case float64
  /// IEEE single precision, the type that Attune computes in.
  case float32
  /// IEEE half precision.
  case float16
  /// The upper half of a single-precision number.
  case bfloat16
  /// Signed, 64 bits.
  case int64
  /// Signed, 32 bits.
  case int32
  /// Signed, 16 bits.
  case int16
  /// Signed, 8 bits.
  case int8
  /// Unsigned, 64 bits.
  case uint64
  /// Unsigned, 32 bits.
  case uint32
  /// Unsigned, 16 bits.
  case uint16
  /// Unsigned, 8 bits.
  case uint8
  /// One byte; anything but zero is true.
  case bool

  /// The size of an element in bytes.
  public var byteCount: Int {
    switch self {
    case .float64, .int64, .uint64: 8
    case .float32, .int32, .uint32: 4
    case .float16, .bfloat16, .int16, .uint16: 2
    case .int8, .uint8, .bool: 1
    }
  }

  /// Whether elements are floating-point numbers.
  public var isFloatingPoint: Bool {
    switch self {
    case .float64, .float32, .float16, .bfloat16: true
    case .int64, .int32, .int16, .int8, .uint64, .uint32, .uint16, .uint8, .bool: false
    }
  }
}

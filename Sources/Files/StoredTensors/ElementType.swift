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

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

/// The framing of TensorFlow's record files: length, its check, the payload, its check.
enum TFRecord {
  /// A payload with its frame.
  static func frame(_ payload: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(payload.count))
    return length + littleEndian(check(length)) + payload + littleEndian(check(payload))
  }

  /// The payloads of a file, as far as they are whole.
  static func payloads(_ bytes: [UInt8]) -> [[UInt8]] {
    var payloads: [[UInt8]] = []
    var rest = bytes[...]
    while rest.count >= 16 {
      let length = Array(rest.prefix(8))
      guard Array(rest.dropFirst(8).prefix(4)) == littleEndian(check(length)) else { break }
      let count = length.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      guard count <= UInt64(rest.count - 16) else { break }
      let payload = Array(rest.dropFirst(12).prefix(Int(count)))
      rest = rest.dropFirst(12 + Int(count))
      guard Array(rest.prefix(4)) == littleEndian(check(payload)) else { break }
      payloads.append(payload)
      rest = rest.dropFirst(4)
    }
    return payloads
  }

  private static func check(_ bytes: [UInt8]) -> UInt32 {
    var crc = CRC32C()
    bytes.withUnsafeBytes { crc.append($0) }
    return crc.masked
  }

  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}

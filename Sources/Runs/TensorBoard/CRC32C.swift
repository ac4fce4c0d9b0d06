/// Castagnoli's cyclic redundancy check, which TFRecord frames and checkpoints carry.
public struct CRC32C: Sendable {
  /// Eight tables, so that eight bytes are taken at a time.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
      tables[byte] = value
    }
    for index in 256..<(8 * 256) {
      let previous = tables[index - 256]
      tables[index] = previous >> 8 ^ tables[Int(previous & 0xFF)]
    }
    return tables
  }()

  private var state = UInt32.max

  /// Starts with no bytes.
  public init() {}

  /// The check of `bytes`.
  public static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var crc = CRC32C()
    Array(bytes).withUnsafeBytes { crc.append($0) }
    return crc.value
  }

  /// The check of all bytes so far.
  public var value: UInt32 { ~state }

  /// The check as TFRecord stores it, so that a check of a check stays meaningful.
  var masked: UInt32 { (value >> 15 | value << 17) &+ 0xA282_EAD8 }

  /// Adds bytes.
  public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    var state = state
    Self.tables.withUnsafeBufferPointer { tables in
      var index = 0
      while index + 8 <= bytes.count {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        let mixed = word ^ UInt64(state)
        var next: UInt32 = 0
        for byte in 0..<8 {
          next ^= tables[(7 - byte) * 256 + Int(mixed >> UInt64(8 * byte) & 0xFF)]
        }
        state = next
        index += 8
      }
      for byte in bytes[index...] {
        state = state >> 8 ^ tables[Int((state ^ UInt32(byte)) & 0xFF)]
      }
    }
    self.state = state
  }
}

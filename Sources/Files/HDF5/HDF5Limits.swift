import CHDF5Bridge

/// What a child that reads an HDF5 file may use.
struct HDF5Limits {
  var processorSeconds: Double
  var memoryByteCount: Int

  /// Enough for a hundred thousand datasets.
  static let listing = HDF5Limits(processorSeconds: 30, memoryByteCount: 1 << 30)

  /// Reading compressed data on a slow machine gives at least 10 MB a second.
  static func reading(byteCount: Int) -> HDF5Limits {
    HDF5Limits(processorSeconds: 30 + Double(byteCount) / 1e7, memoryByteCount: 1 << 30)
  }

  var bridged: AttuneHDF5Limits {
    AttuneHDF5Limits(
      processor_seconds: processorSeconds, memory_byte_count: UInt64(memoryByteCount))
  }
}

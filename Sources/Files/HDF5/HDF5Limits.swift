import CHDF5Bridge

/// What a worker that reads an HDF5 file may use.
struct HDF5Limits {
  var processorSeconds: Double
  var memoryByteCount: Int

  /// An object takes some 300 bytes and 0.1 ms; this is ten times slower.
  static func listing(fileByteCount: Int) -> HDF5Limits {
    HDF5Limits(
      processorSeconds: min(120, 5 + Double(fileByteCount) / 3e5), memoryByteCount: 1 << 30)
  }

  /// Decompressing on a slow machine gives at least 10 MB a second.
  static func reading(_ selections: [HDF5Selection]) -> HDF5Limits {
    let limit = selections.reduce(0.0) {
      $0 + Double(max($1.byteCount, $1.dataset.storedByteCount))
    }
    return HDF5Limits(processorSeconds: 5 + limit / 1e7, memoryByteCount: 1 << 30)
  }

  var bridged: AttuneHDF5Limits {
    AttuneHDF5Limits(
      processor_seconds: processorSeconds, memory_byte_count: UInt64(memoryByteCount))
  }
}

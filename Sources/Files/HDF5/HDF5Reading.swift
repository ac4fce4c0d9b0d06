import CHDF5Bridge

extension HDF5File {
  /// A worker reads that much, unless one dataset alone is larger.
  private static let maxBatchByteCount = 256 << 20
  /// Elements start at multiples of it.
  private static let alignment = 64

  /// Reads selections in as few processes as their sizes allow.
  func read(_ selections: [HDF5Selection]) throws(FileError) -> [StoredTensor] {
    var tensors: [StoredTensor] = []
    var batch: [HDF5Selection] = []
    var byteCount = 0
    for selection in selections {
      if byteCount + selection.byteCount > HDF5File.maxBatchByteCount, !batch.isEmpty {
        tensors += try readBatch(batch)
        batch = []
        byteCount = 0
      }
      batch.append(selection)
      byteCount += selection.byteCount
    }
    return batch.isEmpty ? tensors : tensors + (try readBatch(batch))
  }

  private func readBatch(_ batch: [HDF5Selection]) throws(FileError) -> [StoredTensor] {
    var starts: [Int] = []
    var end = 0
    for selection in batch {
      starts.append(end)
      // Neither overflows: a batch is small, or one dataset that was found to fit.
      end += (selection.byteCount + HDF5File.alignment - 1) & -HDF5File.alignment
    }
    let memory = try HDF5File.share(end, path: path, item: batch[0].dataset.name)
    try readBatch(batch, into: memory, at: starts)
    let bytes = memory.bytes(count: end)
    return zip(batch, starts).map { selection, start in
      StoredTensor(
        selection.elementType, shape: selection.shape,
        bytes: bytes[start..<(start + selection.byteCount)])
    }
  }

  private func readBatch(
    _ batch: [HDF5Selection], into memory: SharedMemory, at starts: [Int]
  ) throws(FileError) {
    // C reads names and shapes through pointers, so all of them lie in memory that does not move.
    let names = batch.map { Array($0.dataset.name.utf8CString) }
    let nameStorage = FlatStorage(names)
    let shapeStorage = FlatStorage(batch.map { $0.dataset.shape.map { UInt64($0) } })
    var requests: [AttuneHDF5Selection] = []
    for (index, selection) in batch.enumerated() where selection.byteCount > 0 {
      requests.append(
        AttuneHDF5Selection(
          dataset: nameStorage.pointer(to: index), element_type: selection.code,
          rank: UInt32(selection.dataset.shape.count), shape: shapeStorage.pointer(to: index),
          first_row: UInt64(selection.rows?.lowerBound ?? 0),
          row_count: UInt64(selection.rows?.count ?? 0),
          elements_offset: UInt64(starts[index]), byte_count: UInt64(selection.byteCount)))
    }
    guard !requests.isEmpty else { return }
    let limits = limits ?? .reading(batch)
    let result = attune_hdf5_read(
      path, requests, UInt32(requests.count), limits.bridged, memory.bridged)
    withExtendedLifetime((nameStorage, shapeStorage)) {}
    let read = batch.filter { $0.byteCount > 0 }
    let item = read[min(Int(result.selection_index), read.count - 1)].dataset.name
    try HDF5File.check(result, path: path, item: item)
  }
}

/// Arrays one after the other in memory that does not move.
private final class FlatStorage<Element> {
  private let elements: UnsafeMutableBufferPointer<Element>
  private let starts: [Int]

  init(_ arrays: [[Element]]) {
    var starts: [Int] = []
    var end = 0
    for array in arrays {
      starts.append(end)
      end += array.count
    }
    self.starts = starts
    elements = .allocate(capacity: max(end, 1))
    for (start, array) in zip(starts, arrays) {
      _ = elements[start...].initialize(fromContentsOf: array)
    }
  }

  deinit { elements.deallocate() }

  func pointer(to index: Int) -> UnsafePointer<Element> {
    UnsafePointer(elements.baseAddress! + starts[index])
  }
}

/// Memory that a worker writes and this process then reads.
///
/// Unchecked sendable because it is only written by a worker that has ended before it is shared.
final class SharedMemory: BytesOwner, @unchecked Sendable {
  let bridged: AttuneSharedMemory
  let count: Int

  /// The system lets a few thousand of them be there at a time; less than this is copied.
  private static let minKeptByteCount = 4 << 20

  /// Nil if the system has not that much; pages take memory when they are written.
  init?(count: Int) {
    let memory = attune_share_memory(UInt64(count))
    guard memory.start != nil else { return nil }
    bridged = memory
    self.count = count
  }

  deinit { attune_unshare_memory(bridged) }

  /// The first bytes: a view that keeps this memory, or a copy where they are few.
  func bytes(count: Int) -> Bytes {
    precondition(count <= self.count)
    guard let start = bridged.start else { return Bytes(copying: []) }
    if count < SharedMemory.minKeptByteCount {
      return Bytes(copying: UnsafeRawBufferPointer(start: start, count: count))
    }
    return Bytes(owner: self, start: UnsafeRawPointer(start), count: count)
  }
}

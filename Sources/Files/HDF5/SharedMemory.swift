import CHDF5Bridge

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

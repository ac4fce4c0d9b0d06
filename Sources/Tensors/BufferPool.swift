import Glibc
import Synchronization

/// Keeps freed buffers for reuse, so that a hot loop asks the system for memory only once.
///
/// Buffers are grouped by capacity. Each thread of the worker pool prefers its own lists, so that a
/// reused buffer is probably still in that core's cache.
enum BufferPool {
  /// Buffers start on a cache line, which is also the width of the widest vector register.
  static let alignment = 64
  /// From this size on a buffer starts on a page and asks for huge pages.
  private static let hugePageSize = 2 << 20
  /// Freed bytes kept by each shelf before buffers go back to the system.
  private static let keptByteLimit = 1 << 30
  private static let shelfCount = 16

  private struct Shelf {
    var buffers: [Int: [UnsafeMutableRawPointer]] = [:]
    var keptByteCount = 0
  }

  /// A class so that the mutex, which cannot be copied, can live in an array.
  private final class LockedShelf: Sendable {
    // The mutex guards raw pointers, which Swift cannot prove to be sendable; each is owned by
    // exactly one shelf or one buffer at a time.
    struct Guarded: @unchecked Sendable { var shelf = Shelf() }
    let mutex = Mutex(Guarded())
  }

  private static let shelves = (0..<shelfCount).map { _ in LockedShelf() }

  /// Rounds a byte count up to a class size: eight classes between two powers of two.
  static func capacity(forByteCount byteCount: Int) -> Int {
    let smallest = 512
    guard byteCount > smallest else { return smallest }
    let highestBit = Int.bitWidth - 1 - (byteCount - 1).leadingZeroBitCount
    let granule = max(alignment, 1 << (highestBit - 3))
    return (byteCount + granule - 1) / granule * granule
  }

  static func allocate(capacity: Int) -> UnsafeMutableRawPointer {
    // Own buffers first; then those of others, where what one thread makes and another frees, such
    // as the gradients of a lane, would pile up.
    for offset in 0..<shelfCount {
      let shelf = shelves[(WorkerPool.currentWorkerIndex + offset) % shelfCount]
      let reused: UnsafeMutableRawPointer? = shelf.mutex.withLock { guarded in
        guard let pointer = guarded.shelf.buffers[capacity]?.popLast() else { return nil }
        guarded.shelf.keptByteCount -= capacity
        return pointer
      }
      if let reused { return reused }
    }
    var pointer: UnsafeMutableRawPointer?
    let isHuge = capacity >= hugePageSize
    let status = posix_memalign(&pointer, isHuge ? hugePageSize : alignment, capacity)
    guard status == 0, let pointer else {
      fatalError("out of memory: a tensor asked for \(capacity) bytes")
    }
    if isHuge { madvise(pointer, capacity, MADV_HUGEPAGE) }
    return pointer
  }

  static func free(_ pointer: UnsafeMutableRawPointer, capacity: Int) {
    let shelf = shelves[WorkerPool.currentWorkerIndex % shelfCount]
    let isKept = shelf.mutex.withLock { guarded -> Bool in
      guard guarded.shelf.keptByteCount + capacity <= keptByteLimit else { return false }
      guarded.shelf.keptByteCount += capacity
      guarded.shelf.buffers[capacity, default: []].append(pointer)
      return true
    }
    if !isKept { Glibc.free(pointer) }
  }
}

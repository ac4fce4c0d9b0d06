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
  private static let shelfByteLimit = 1 << 30
  /// Freed bytes kept by all shelves together.
  private static let totalByteLimit = 2 << 30
  private static let shelfCount = 16

  /// What shelves have been granted of the total. They ask for a large step at a time, so that
  /// threads seldom meet here.
  private static let grantedByteCount = Atomic<Int>(0)
  private static let grantStep = 4 << 20

  private static func grant(_ byteCount: Int) -> Bool {
    let total = grantedByteCount.add(byteCount, ordering: .relaxed).newValue
    if total <= totalByteLimit { return true }
    grantedByteCount.subtract(byteCount, ordering: .relaxed)
    return false
  }

  private struct Shelf {
    var buffers: [Int: [UnsafeMutableRawPointer]] = [:]
    var keptByteCount = 0
    /// At least what is kept.
    var grantedByteCount = 0

    /// Counts a buffer that is to be kept; false if there is no room for it.
    mutating func add(byteCount: Int) -> Bool {
      let kept = keptByteCount + byteCount
      guard kept <= BufferPool.shelfByteLimit else { return false }
      let missing = kept - grantedByteCount
      if missing > 0 {
        let step = BufferPool.grantStep
        let steps = (missing + step - 1) / step * step
        guard BufferPool.grant(steps) else { return false }
        grantedByteCount += steps
      }
      keptByteCount = kept
      return true
    }

    /// No longer counts a buffer. Up to two steps stay granted: the next one may need them again.
    mutating func remove(byteCount: Int) {
      keptByteCount -= byteCount
      let unused = grantedByteCount - keptByteCount
      guard unused >= 2 * BufferPool.grantStep else { return }
      let surplus = unused - BufferPool.grantStep
      grantedByteCount -= surplus
      BufferPool.grantedByteCount.subtract(surplus, ordering: .relaxed)
    }
  }

  /// A class so that the mutex, which cannot be copied, can live in an array.
  private final class LockedShelf: Sendable {
    // The mutex guards raw pointers, which Swift cannot prove to be sendable; each is owned by
    // exactly one shelf or one buffer at a time.
    struct Guarded: @unchecked Sendable { var shelf = Shelf() }
    let mutex = Mutex(Guarded())

    func take(capacity: Int) -> UnsafeMutableRawPointer? {
      mutex.withLock { guarded -> UnsafeMutableRawPointer? in
        guard let pointer = guarded.shelf.buffers[capacity]?.popLast() else { return nil }
        guarded.shelf.remove(byteCount: capacity)
        return pointer
      }
    }

    /// Gives all buffers back to the system.
    func empty() {
      mutex.withLock { guarded in
        for pointers in guarded.shelf.buffers.values {
          for pointer in pointers { Glibc.free(pointer) }
        }
        guarded.shelf.buffers.removeAll()
        guarded.shelf.remove(byteCount: guarded.shelf.keptByteCount)
      }
    }
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
    let own = WorkerPool.currentWorkerIndex % shelfCount
    // A worker's gradients are freed by the thread that sums them: without looking there the worker
    // would ask the system each time, and that thread's shelf would grow to its limit.
    for offset in 0..<shelfCount {
      if let reused = shelves[(own + offset) % shelfCount].take(capacity: capacity) {
        return reused
      }
    }
    if let new = newBuffer(capacity: capacity) { return new }
    // What lies idle here may be what the system lacks.
    for shelf in shelves { shelf.empty() }
    guard let new = newBuffer(capacity: capacity) else {
      fatalError("out of memory: a tensor requested \(capacity) bytes")
    }
    return new
  }

  private static func newBuffer(capacity: Int) -> UnsafeMutableRawPointer? {
    var pointer: UnsafeMutableRawPointer?
    let isHuge = capacity >= hugePageSize
    let status = posix_memalign(&pointer, isHuge ? hugePageSize : alignment, capacity)
    guard status == 0, let pointer else { return nil }
    if isHuge { madvise(pointer, capacity, MADV_HUGEPAGE) }
    return pointer
  }

  static func free(_ pointer: UnsafeMutableRawPointer, capacity: Int) {
    let shelf = shelves[WorkerPool.currentWorkerIndex % shelfCount]
    let isKept = shelf.mutex.withLock { guarded -> Bool in
      guard guarded.shelf.add(byteCount: capacity) else { return false }
      guarded.shelf.buffers[capacity, default: []].append(pointer)
      return true
    }
    if !isKept { Glibc.free(pointer) }
  }
}

/// The memory behind one or more tensors.
///
/// Unchecked sendable because its elements are written only while a single tensor refers to it
/// (before it is shared, or after `isKnownUniquelyReferenced`), and only read afterwards.
final class TensorStorage: @unchecked Sendable {
  let elements: UnsafeMutablePointer<Float>
  let count: Int
  private let capacity: Int
  /// Forms of this matrix arranged for the matrix product, made on first use.
  let packedForms = PackedForms()

  /// Allocates uninitialized memory for `count` elements.
  init(count: Int) {
    self.count = count
    capacity = BufferPool.capacity(forByteCount: count * MemoryLayout<Float>.stride)
    elements = BufferPool.allocate(capacity: capacity)
      .bindMemory(to: Float.self, capacity: count)
  }

  deinit {
    BufferPool.free(UnsafeMutableRawPointer(elements), capacity: capacity)
  }
}

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

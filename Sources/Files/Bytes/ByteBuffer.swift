import Glibc

/// Memory that is filled once and then shared as `Bytes`.
///
/// Unchecked sendable because only its creator writes to it, before sharing it.
final class ByteBuffer: BytesOwner, @unchecked Sendable {
  private(set) var memory: UnsafeMutableRawBufferPointer

  /// Allocates uninitialized memory of a size that the program itself decided.
  init(capacity: Int) {
    guard let start = malloc(max(capacity, 1)) else {
      fatalError("out of memory: a file buffer requested \(capacity) bytes")
    }
    memory = UnsafeMutableRawBufferPointer(start: start, count: capacity)
  }

  deinit { free(memory.baseAddress) }

  /// Enlarges the memory and keeps its contents; false if there is not that much.
  func grow(to capacity: Int) -> Bool {
    guard let start = realloc(memory.baseAddress, max(capacity, 1)) else { return false }
    memory = UnsafeMutableRawBufferPointer(start: start, count: capacity)
    return true
  }

  /// The first bytes, not to be written to from now on.
  func bytes(count: Int) -> Bytes {
    precondition(count <= memory.count)
    return Bytes(owner: self, start: UnsafeRawPointer(memory.baseAddress!), count: count)
  }
}

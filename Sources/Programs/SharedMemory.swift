import CProgramBridge
import Glibc

/// Memory that this process and a program that it starts both see.
///
/// It has no name that could be left behind, and takes room only where something was written.
public final class SharedMemory {
  /// For the program, which maps it.
  let descriptor: Int32
  /// The mapped bytes.
  public let bytes: UnsafeMutableRawBufferPointer

  /// Sets memory aside; it is zero.
  ///
  /// - Parameter byteCount: a multiple of a page's.
  /// - Throws: `ProgramError` if the system gives none.
  public init(byteCount: Int) throws(ProgramError) {
    func failure() -> ProgramError {
      ProgramError(
        .start, program: ["shared memory"],
        problem: "cannot be had: \(String(cString: strerror(errno)))")
    }
    descriptor = attune_make_memory(byteCount)
    guard descriptor >= 0 else { throw failure() }
    let address = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    guard let address, address != MAP_FAILED else {
      let error = failure()
      close(descriptor)
      throw error
    }
    bytes = UnsafeMutableRawBufferPointer(start: address, count: byteCount)
  }

  deinit {
    munmap(bytes.baseAddress, bytes.count)
    close(descriptor)
  }
}

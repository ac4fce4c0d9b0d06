import Foundation
import Testing

@testable import Tensors

/// What is kept of freed memory, in processes of their own. Nobody writes to these tensors, so that
/// they take addresses but no memory.
@Suite struct BufferPoolTests {
  @Test func idleBuffersMakeRoomForALargerOne() async {
    await #expect(processExitsWith: .success) {
      let megabyte = 1 << 20
      leaveIdle(8, megabytes: 64)
      try limitAddresses(to: addressByteCount() + 100 * megabyte)
      let large = unwrittenTensor(megabytes: 400)
      precondition(large.count == 100 * megabyte)
    }
  }

  /// Four threads leave a gigabyte each, which is what one shelf keeps.
  @Test func shelvesKeepTwoGigabytesTogether() async {
    await #expect(processExitsWith: .success) {
      WorkerPool.shared.threadCount = 4
      let (start, end) = (Meeting(of: 4), Meeting(of: 4))
      WorkerPool.shared.forEach(4) { _ in start.wait() }
      let before = try addressByteCount()
      WorkerPool.shared.forEach(4) { _ in
        let tensors = (0..<16).map { _ in unwrittenTensor(megabytes: 64) }
        // Nobody may take what another has left.
        withExtendedLifetime(tensors) { end.wait() }
      }
      let kept = try addressByteCount() - before
      precondition(kept > 1 << 30 && kept < 3 << 30, "\(kept) bytes are kept")
    }
  }
}

private func unwrittenTensor(megabytes: Int) -> Tensor {
  Tensor(shape: [megabytes << 18]) { _ in }
}

private func leaveIdle(_ count: Int, megabytes: Int) {
  let tensors = (0..<count).map { _ in unwrittenTensor(megabytes: megabytes) }
  precondition(tensors.count == count)
}

import Foundation
import Synchronization

/// Where threads wait until all of them have come.
final class Meeting: Sendable {
  private let count: Int
  private let arrived = Atomic<Int>(0)

  init(of count: Int) { self.count = count }

  func wait() {
    arrived.add(1, ordering: .relaxed)
    while arrived.load(ordering: .relaxed) < count { usleep(100) }
  }
}

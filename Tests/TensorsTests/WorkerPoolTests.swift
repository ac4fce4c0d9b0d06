import Foundation
import Synchronization
import Testing

@testable import Tensors

@Suite(.serialized) struct WorkerPoolTests {
  @Test func runsEveryIterationOnce() {
    let counts = (0..<1000).map { _ in Counter() }
    for _ in 0..<200 { WorkerPool.shared.forEach(1000) { counts[$0].add() } }
    #expect(counts.allSatisfy { $0.value == 200 })
  }

  @Test func nestedLoopsRunInPlace() {
    let counter = Counter()
    WorkerPool.shared.forEach(10) { _ in WorkerPool.shared.forEach(10) { _ in counter.add() } }
    #expect(counter.value == 100)
  }

  @Test func severalThreadsMayStartLoops() {
    let counter = Counter()
    DispatchQueue.concurrentPerform(iterations: 8) { _ in
      for _ in 0..<50 { WorkerPool.shared.forEach(20) { _ in counter.add() } }
    }
    #expect(counter.value == 8 * 50 * 20)
  }

  @Test func threadCountMayChange() {
    let threadCount = WorkerPool.shared.threadCount
    defer { WorkerPool.shared.threadCount = threadCount }
    let counter = Counter()
    for round in 0..<300 {
      WorkerPool.shared.threadCount = 1 + round % 5
      WorkerPool.shared.forEach(7) { _ in counter.add() }
    }
    #expect(counter.value == 2100)
  }

  @Test func threadCountCannotChangeInsideALoop() async {
    await #expect(processExitsWith: .failure) {
      WorkerPool.shared.forEach(10) { _ in WorkerPool.shared.threadCount = 1 }
    }
  }

  @Test(arguments: [1, 5, 64, 1000]) func rangesCoverAllOnce(_ count: Int) {
    let counts = (0..<count).map { _ in Counter() }
    WorkerPool.shared.forEachRange(count, granularity: 14) { range in
      #expect(range.lowerBound % 14 == 0)
      for index in range { counts[index].add() }
    }
    #expect(counts.allSatisfy { $0.value == 1 })
  }

  /// A worker that was asleep may come late: after its loop, or in the middle of the next.
  @Test func sleepersMayComeLate() {
    let counter = Counter()
    var expected = 0
    for _ in 0..<100 {
      usleep(1_500)
      for count in [2, 3, 2] {
        WorkerPool.shared.forEach(count) { _ in
          // Long enough for the worker to come in the middle and end after the caller.
          usleep(100)
          counter.add()
        }
        expected += count
        #expect(counter.value == expected)
      }
    }
  }

  /// A waking worker is kept off one processor, but only until it runs.
  @Test func wokenWorkersMayRunEverywhere() throws {
    for _ in 0..<20 {
      usleep(1_500)
      WorkerPool.shared.forEach(2) { _ in }
    }
    let allowed = try Self.allowedProcessors(ofThread: getpid())
    var differing: [Int32] = []
    for _ in 0..<1_000 {
      differing = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")
        .compactMap { Int32($0) }
        .filter { thread in
          // A thread of another test may have ended meanwhile.
          guard let found = try? Self.allowedProcessors(ofThread: thread) else { return false }
          return found != allowed
        }
      if differing.isEmpty { break }
      usleep(10_000)
    }
    #expect(differing.isEmpty)
  }

  private static func allowedProcessors(ofThread thread: Int32) throws -> String {
    let status = try String(contentsOfFile: "/proc/self/task/\(thread)/status", encoding: .utf8)
    return try #require(
      status.split(separator: "\n").map(String.init).first { $0.hasPrefix("Cpus_allowed:") })
  }

  private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    func add() { count.add(1, ordering: .relaxed) }
    var value: Int { count.load(ordering: .relaxed) }
  }
}

import Dispatch
import Foundation
import Synchronization
import Tensors

/// How the environments of a vector are visited: those that compute by themselves side by side on
/// the worker pool, those of a lane one after another on a thread of the lane, or each on a thread of
/// its own where the lane steps them together.
///
/// The pool's threads spin while they wait, which would take the processors that a lane's process
/// computes on; a lane's thread sleeps.
package final class EnvironmentLanes {
  private struct Lane {
    let lane: any EnvironmentLane
    var indices: [Int]
    var threads: [LaneThread] = []
  }

  private let count: Int
  /// Without a lane.
  private let native: [Int]
  private let lanes: [Lane]

  /// Deals environments to their lanes.
  package init(_ environments: [any Environment]) {
    count = environments.count
    var native: [Int] = []
    var lanes: [Lane] = []
    for (index, environment) in environments.enumerated() {
      if let lane = environment.lane {
        if let place = lanes.firstIndex(where: { $0.lane === lane }) {
          lanes[place].indices.append(index)
        } else {
          lanes.append(Lane(lane: lane, indices: [index]))
        }
      } else {
        native.append(index)
      }
    }
    self.native = native
    for place in lanes.indices {
      let indices = lanes[place].indices
      lanes[place].threads =
        lanes[place].lane.stepsTogether
        ? indices.map { LaneThread([$0]) } : [LaneThread(indices)]
    }
    self.lanes = lanes
  }

  /// How often lanes were started anew; nil where there are none.
  package var restartCount: Int? {
    lanes.isEmpty ? nil : lanes.reduce(0) { $0 + $1.lane.restartCount }
  }

  /// Runs `body` for every index.
  ///
  /// - Throws: what `body` throws for the lowest index of those that fail.
  package func forEach(_ body: (Int) throws -> Void) throws {
    guard !lanes.isEmpty else { return try WorkerPool.shared.tryForEach(count, body) }
    // The body outlives no lane's part: all are waited for below.
    try withoutActuallyEscaping(body) { body in
      for lane in lanes {
        lane.lane.beginVisit(of: lane.indices.count)
        for thread in lane.threads { thread.begin(LaneBody(body, lane: lane.lane)) }
      }
      var first: (index: Int, error: any Error)?
      func keep(_ failure: (index: Int, error: any Error)?) {
        if let failure, failure.index < first?.index ?? .max { first = failure }
      }
      do {
        if !native.isEmpty {
          try WorkerPool.shared.tryForEach(native.count) { try body(native[$0]) }
        }
      } catch {
        keep((native[0], error))
      }
      for thread in lanes.flatMap(\.threads) { keep(thread.finish()) }
      if let first { throw first.error }
    }
  }
}

/// What a lane does for each of its environments.
///
/// Unchecked sendable: the vector waits for all lanes, and each index is visited by one thread.
private struct LaneBody: @unchecked Sendable {
  let callAsFunction: (Int) throws -> Void
  let lane: any EnvironmentLane
  init(_ body: @escaping (Int) throws -> Void, lane: any EnvironmentLane) {
    callAsFunction = body
    self.lane = lane
  }
}

/// A thread that visits some environments when it is told to.
private final class LaneThread: Sendable {
  private struct State {
    var body: LaneBody?
    var failure: (index: Int, error: any Error)?
    var isOver = false
  }

  /// What the thread holds, so that it does not keep the lane itself.
  private final class Post: Sendable {
    let state = Mutex(State())
    let begin = DispatchSemaphore(value: 0)
    let end = DispatchSemaphore(value: 0)
  }
  private let post = Post()

  init(_ indices: [Int]) {
    Thread.detachNewThread { [post] in
      while true {
        post.begin.wait()
        if post.state.withLock({ $0.isOver }) { return }
        // The body may be held no longer when the end is told.
        let failure = Self.visit(indices, post)
        post.state.withLock { [failure] in $0.failure = failure }
        post.end.signal()
      }
    }
  }

  private static func visit(_ indices: [Int], _ post: Post) -> (index: Int, error: any Error)? {
    let body = post.state.withLock { state in
      defer { state.body = nil }
      return state.body
    }
    defer { body?.lane.endVisit() }
    for index in indices {
      do { try body?.callAsFunction(index) } catch { return (index, error) }
    }
    return nil
  }

  deinit {
    post.state.withLock { $0.isOver = true }
    post.begin.signal()
  }

  /// Lets the thread go to work.
  func begin(_ body: LaneBody) {
    post.state.withLock { $0.body = body }
    post.begin.signal()
  }

  /// Waits until it is done.
  func finish() -> (index: Int, error: any Error)? {
    post.end.wait()
    return post.state.withLock { $0.failure }
  }
}

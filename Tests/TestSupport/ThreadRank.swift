import Foundation
import NeuralNetworks
import Tensors

/// One of several ranks that train together on threads of this process.
public struct ThreadRank: Communicator {
  /// The number of ranks.
  public let processCount: Int
  /// Which of them this is, from 0.
  public let rank: Int
  private let meeting: RankMeeting

  /// Runs a training as each of the ranks at the same time. It makes a network of its own, as it
  /// would in a process of its own.
  ///
  /// - Returns: what the ranks came to, in their order.
  /// - Throws: what a rank throws, or `RankError` if the ranks did not ask for the same sums.
  public static func run<Value: Sendable>(
    processCount: Int, _ body: @escaping @Sendable (ThreadRank) throws -> Value
  ) throws -> [Value] {
    let meeting = RankMeeting(count: processCount)
    let results = RankResults<Value>(count: processCount)
    for rank in 0..<processCount {
      let thread = Thread {
        let member = ThreadRank(processCount: processCount, rank: rank, meeting: meeting)
        let result = Result<Value, any Error> { try body(member) }
        meeting.leave()
        results.set(result, rank: rank)
      }
      // Graphs are released recursively.
      thread.stackSize = 64 << 20
      thread.start()
    }
    let all = results.wait()
    // An error of one makes the others fail too: its own says more.
    for case .failure(let error) in all where !(error is RankError) { throw error }
    return try all.map { try $0.get() }
  }

  /// What every rank hands over, in the order of ranks.
  public func gather(_ bytes: [UInt8]) throws -> [[UInt8]] {
    try meeting.exchange(bytes, rank: rank)
  }
}

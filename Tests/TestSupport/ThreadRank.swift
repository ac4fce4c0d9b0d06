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

  /// The sums over the ranks, in their order: parameters are told apart by their place.
  public func sum(
    _ gradients: Gradients, of parameters: NamedParameters
  ) throws -> Gradients {
    let parts = try meeting.exchange(
      parameters.map { gradients[$0.parameter.leaf] }, rank: rank)
    guard parts.allSatisfy({ $0.count == parameters.count }) else { throw RankError.different }
    var sum = Gradients()
    for (index, entry) in parameters.enumerated() {
      let found = parts.compactMap { $0[index] }
      guard let first = found.first else { continue }
      sum[entry.parameter.leaf] = found.dropFirst().reduce(first) { $0 + $1 }
    }
    return sum
  }

  /// The sums over the ranks, in their order.
  public func sum(_ numbers: [Double]) throws -> [Double] {
    let parts = try meeting.exchange(numbers, rank: rank)
    guard parts.allSatisfy({ $0.count == numbers.count }) else { throw RankError.different }
    return numbers.indices.map { index in parts.reduce(0) { $0 + $1[index] } }
  }
}

import Foundation
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// Training on several ranks, each with its lanes of a batch.
@Suite struct CommunicatorTests {
  private struct Outcome: Sendable, Equatable {
    var losses: [UInt64] = []
    var sums: [NamedSums] = []
    var weights: [String: [UInt32]] = [:]
  }

  /// A few steps on a batch that all ranks have.
  private static func train(
    _ communicator: any Communicator, rowCount: Int
  ) throws -> Outcome {
    var random = RandomStream(seed: 1)
    let network = MLP(sizes: [3, 5, 2], activation: .mish, random: &random)
    let x = random.normal([rowCount, 3])
    let target = random.normal([rowCount, 2])
    let optimizer = SGD(network.parameters, learningRate: 0.2, momentum: 0.9)
    var outcome = Outcome()
    for _ in 0..<5 {
      let step = try communicator.shardedValueAndGradients(
        count: rowCount, shardSize: 3, of: network.parameters
      ) { rows in
        let error = network(x.slice(rows)) - target.slice(rows)
        return ShardResult(
          loss: error.squared().sum() / Float(rowCount), sums: ["rows": Double(rows.count)])
      }
      try optimizer.step(
        step.gradients, of: network.parameters, normLimit: 1, loss: step.loss)
      outcome.losses.append(step.loss.bitPattern)
      outcome.sums.append(step.sums)
    }
    outcome.weights = network.parameters.values.mapValues { $0.elements.map(\.bitPattern) }
    return outcome
  }

  /// 40 rows are 14 shards; 4 rows are 2, so that most lanes have none.
  @Test(arguments: [2, 4, 8], [40, 4])
  func severalRanksGiveTheBitsOfOne(_ processCount: Int, rowCount: Int) throws {
    let alone = try Self.train(SingleProcess(), rowCount: rowCount)
    let ranks = try ThreadRank.run(processCount: processCount) {
      try Self.train($0, rowCount: rowCount)
    }
    #expect(ranks.count == processCount)
    #expect(alone.losses[4] != alone.losses[0])
    #expect(alone.sums.allSatisfy { $0 == ["rows": Double(rowCount)] })
    for rank in ranks { #expect(rank == alone) }
  }

  /// Numbers come back with their bits, in the order of ranks.
  @Test func everyRankSeesWhatAllHandOver() throws {
    let ranks = try ThreadRank.run(processCount: 4) { member in
      let own = member.fraction(of: 10)
      let floats = try member.gatherNumbers(own.map { Float($0) / 3 })
      let values = try member.gatherValues([Double(member.rank) / 7, -.infinity])
      let rows = try member.gatherRows(Tensor(own.map { Float($0) }).reshaped(to: [-1, 1]))
      return (floats.flatMap { $0 }, values, rows)
    }
    for (floats, values, rows) in ranks {
      #expect(floats == (0..<10).map { Float($0) / 3 })
      #expect(values == (0..<4).map { [Double($0) / 7, -.infinity] })
      #expect(rows.shape == [10, 1] && rows.elements == (0..<10).map { Float($0) })
    }
  }

  @Test func nobodyWaitsForARankThatFailed() {
    struct Broken: Error {}
    #expect(throws: Broken.self) {
      try ThreadRank.run(processCount: 2) { member in
        if member.rank == 1 { throw Broken() }
        _ = try member.gather([1])
      }
    }
  }
}

import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// Training on several ranks, each with its part of a batch.
@Suite struct CommunicatorTests {
  private struct Outcome: Sendable {
    var losses: [Double] = []
    var weights: [String: Tensor] = [:]
  }

  private static let rowCount = 12

  /// A few steps on rows that no rank but this one sees, with losses divided by the size of the
  /// whole.
  private static func train(_ communicator: any Communicator) throws -> Outcome {
    var random = RandomStream(seed: 1)
    let network = MLP(sizes: [3, 5, 2], activation: .mish, random: &random)
    let x = random.normal([rowCount, 3])
    let target = random.normal([rowCount, 2])
    let optimizer = SGD(network.parameters, learningRate: 0.2, momentum: 0.9)
    let share = rowCount / communicator.processCount
    let rows = (communicator.rank * share)..<((communicator.rank + 1) * share)
    var outcome = Outcome()
    for _ in 0..<5 {
      let (loss, gradients) = valueAndGradients {
        (network(x.slice(rows)) - target.slice(rows)).squared().sum() / Float(rowCount)
      }
      let sum = try communicator.sum(gradients, of: network.parameters)
      let whole = try communicator.sum([Double(loss.scalar), 1])
      #expect(whole[1] == Double(communicator.processCount))
      try optimizer.step(sum, of: network.parameters, normLimit: 1, loss: whole[0])
      outcome.losses.append(whole[0])
    }
    outcome.weights = network.parameters.values
    return outcome
  }

  @Test(arguments: [2, 3]) func severalRanksLearnWhatOneDoes(_ processCount: Int) throws {
    let alone = try Self.train(SingleProcess())
    let ranks = try ThreadRank.run(processCount: processCount) { try Self.train($0) }
    #expect(ranks.count == processCount)
    #expect(alone.losses[4] < alone.losses[0])
    for rank in ranks {
      // Every rank takes the same steps, to the last bit.
      #expect(rank.losses == ranks[0].losses)
      #expect(rank.weights.mapValues(\.elements) == ranks[0].weights.mapValues(\.elements))
      for (mine, whole) in zip(rank.losses, alone.losses) {
        #expect(abs(mine - whole) < 1e-4 * whole)
      }
      for (name, weight) in alone.weights {
        expectClose(rank.weights[name], weight, relative: 1e-4, name)
      }
    }
  }

  /// A gradient that one rank alone has is the sum.
  @Test func parametersWithoutGradientsAddNothing() throws {
    let sums = try ThreadRank.run(processCount: 2) { member -> [Tensor?] in
      var random = RandomStream(seed: 2)
      let parameters = Linear(inputSize: 2, outputSize: 2, random: &random).parameters
      var gradients = Gradients()
      for (name, parameter) in parameters where name == "weight" && member.rank == 1 {
        gradients[parameter.leaf] = .ones([2, 2])
      }
      let sum = try member.sum(gradients, of: parameters)
      return parameters.map { sum[$0.parameter.leaf] }
    }
    for sum in sums {
      #expect(sum.map { $0?.elements } == [[1, 1, 1, 1], nil])
    }
  }

  @Test func nobodyWaitsForARankThatFailed() {
    struct Broken: Error {}
    #expect(throws: Broken.self) {
      try ThreadRank.run(processCount: 2) { member in
        if member.rank == 1 { throw Broken() }
        _ = try member.sum([1])
      }
    }
  }
}

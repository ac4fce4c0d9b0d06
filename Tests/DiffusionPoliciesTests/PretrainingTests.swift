import Environments
import Foundation
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Behaviour cloning's loop on a few steps of a point on a line.
struct PretrainingTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    var demonstrations = Demonstrations(stateSize: 1, actionSize: 1)
    var random = RandomStream(seed: 1)
    demonstrations.states = random.uniform([40, 1]).elements
    demonstrations.actions = random.uniform([40, 1]).elements
    demonstrations.rewards = Array(repeating: 0, count: 40)
    demonstrations.terminals = Array(repeating: false, count: 40)
    demonstrations.lengths = [20, 20]
    try demonstrations.write(to: folder.file("demonstrations.npz"))
  }

  private func training(
    kind: NetworkConfiguration.Kind = .mlp, validationFraction: Double = 0,
    _ change: (inout PretrainingConfiguration) -> Void
  ) throws -> Pretraining {
    var policy = PolicyConfiguration()
    policy.network.kind = kind
    policy.environment.name = "target"
    policy.network.hiddenSizes = [8, 8, 8]
    policy.denoising.stepCount = 4
    var demonstrations = DemonstrationConfiguration()
    demonstrations.path = folder.file("demonstrations.npz")
    demonstrations.validationFraction = validationFraction
    var configuration = PretrainingConfiguration()
    configuration.batchSize = 8
    configuration.batchCount = 10
    configuration.emaInterval = 1
    configuration.emaStart = 0
    change(&configuration)
    return try Pretraining(
      policy: policy, configuration: configuration, demonstrations: demonstrations, seed: 3,
      registry: TargetEnvironment.registry)
  }

  private func weights(_ training: Pretraining) -> [String: [Float]] {
    training.trainingState().tensors(under: "weights").mapValues(\.elements)
  }

  /// As the policy file has them.
  private func averages(_ training: Pretraining) -> [String: [Float]] {
    training.checkpoint().weights.under("network").mapValues(\.elements)
  }

  /// Until `emaStart` batches are done the average is the weights, at every `emaInterval`th
  /// batch; an average that keeps all of itself stays then where it is.
  @Test func emaStartsAfterItsStart() throws {
    let training = try training {
      $0.emaDecay = 1
      $0.emaInterval = 2
      $0.emaStart = 4
    }
    var seen: [[String: [Float]]] = []
    for _ in 0..<8 {
      _ = try training.step()
      seen.append(weights(training))
      let batch = seen.count
      if batch >= 2 { #expect(averages(training) == seen[min(batch / 2 * 2, 4) - 1], "\(batch)") }
    }
    #expect(seen[3] != seen[7] && !seen[3].isEmpty)
  }

  @Test func emaMovesByOneMinusItsDecay() throws {
    let training = try training { $0.emaDecay = 0.75 }
    var expected = weights(training)
    for _ in 0..<3 {
      _ = try training.step()
      for (name, values) in weights(training) {
        let before = try #require(expected[name])
        expected[name] = zip(before, values).map { 0.75 * $0 + 0.25 * $1 }
      }
    }
    for (name, values) in averages(training) {
      let wanted = try #require(expected[name])
      #expect(zip(values, wanted).allSatisfy { abs($0 - $1) <= 1e-6 }, "\(name)")
    }
  }

  /// What is validated is what is kept: the averaged weights; training goes on with its own.
  @Test func validationIsOfTheAverage() throws {
    let training = try training(validationFraction: 0.5) { $0.emaDecay = 1 }
    let start = try #require(try training.validationLoss())
    for _ in 0..<3 { _ = try training.step() }
    let trained = weights(training)
    #expect(try training.validationLoss() == start)
    #expect(weights(training) == trained && averages(training) != trained)
    let other = try self.training(validationFraction: 0.5) { $0.emaDecay = 0 }
    for _ in 0..<3 { _ = try other.step() }
    #expect(try other.validationLoss() != start)
  }

  /// The bonus is the mean of ln sigma, which starts as ln 0.1 everywhere.
  @Test func entropyIsABonus() throws {
    for kind in [NetworkConfiguration.Kind.gaussian, .gmm] {
      let losses = try [0.0, 0.5].map { coefficient in
        try training(kind: kind) { $0.entropyCoefficient = coefficient }.step().loss
      }
      #expect(abs(losses[1] - losses[0] + 0.5 * log(0.1)) < 1e-5, "\(losses)")
    }
  }

  @Test func learningRateWarmsUp() throws {
    let training = try training {
      $0.warmUpCount = 4
      $0.learningRate = 1e-3
      $0.finalLearningRate = 1e-3
    }
    let rates = try (0..<6).map { _ in try training.step().learningRate }
    let expected = [0.25e-3, 0.5e-3, 0.75e-3, 1e-3, 1e-3, 1e-3]
    #expect(zip(rates, expected).allSatisfy { abs($0 - $1) <= 1e-12 }, "\(rates)")
  }

  @Test(arguments: NetworkConfiguration.Kind.allCases.filter { $0 != .unet })
  func resumedTrainingIsTheSame(_ kind: NetworkConfiguration.Kind) throws {
    let change: (inout PretrainingConfiguration) -> Void = {
      $0.emaStart = 2
      $0.warmUpCount = 5
    }
    let whole = try training(kind: kind, change)
    for _ in 0..<6 { _ = try whole.step() }
    let first = try training(kind: kind, change)
    for _ in 0..<3 { _ = try first.step() }
    let second = try training(kind: kind, change)
    try second.restore(first.trainingState())
    for _ in 0..<3 { _ = try second.step() }
    #expect(weights(second) == weights(whole) && averages(second) == averages(whole))
    #expect(second.batchIndex == 6)
  }
}

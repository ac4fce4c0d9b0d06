import Environments
import Files
import Foundation
import Tensors
import Testing

@testable import DiffusionPolicies

@Suite struct BehaviourPolicyTests {
  private let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("attune-behaviour-\(UUID())")

  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  /// Writes an actor for Hopper with one hidden layer of two units.
  private func writeActor(
    to name: String, changing change: (inout [String: Tensor]) -> Void = { _ in }
  ) throws -> String {
    var random = RandomStream(seed: 4)
    var values = [
      "hidden0.weight": random.normal([2, 11]), "hidden0.bias": random.normal([2]),
      "mean.weight": random.normal([3, 2]), "mean.bias": random.normal([3]),
      "log_std.weight": random.normal([3, 2]), "log_std.bias": random.normal([3]),
    ]
    change(&values)
    let path = folder.appendingPathComponent(name).path
    try SafetensorsFile.write(values.mapValues { StoredTensor($0) }, to: path)
    return path
  }

  /// tanh(W2 relu(W1 s + b1) + b2 + exp(...) e), element by element.
  @Test func actsAsWritten() throws {
    let path = try writeActor(to: "actor.safetensors")
    let file = try SafetensorsFile(path: path)
    let policy = try BehaviourPolicy(path: path)
    #expect(policy.observationSize == 11 && policy.actionSize == 3)
    var random = RandomStream(seed: 5)
    let (s, e) = (random.normal([1, 11]).elements, random.normal([1, 3]).elements)
    func layer(_ name: String, _ x: [Float]) throws -> [Float] {
      let weight = try file.tensor(named: "\(name).weight")
      let bias = try file.tensor(named: "\(name).bias").elements
      return (0..<weight.shape[0]).map { row in
        zip(weight[row].elements, x).reduce(bias[row]) { $0 + $1.0 * $1.1 }
      }
    }
    let features = try layer("hidden0", s).map { max($0, 0) }
    let mean = try layer("mean", features)
    let std = try layer("log_std", features).map { Foundation.exp(min(max($0, -20), 2)) }
    let x = Tensor(shape: [1, 11], elements: s)
    let deterministic = policy.actions(x).elements
    let sampled = policy.actions(x, noise: Tensor(shape: [1, 3], elements: e)).elements
    for index in 0..<3 {
      #expect(abs(deterministic[index] - Foundation.tanh(mean[index])) <= 1e-6)
      let drawn = Foundation.tanh(mean[index] + std[index] * e[index])
      #expect(abs(sampled[index] - drawn) <= 1e-6)
    }
  }

  @Test func collectionDependsOnSeedsAlone() throws {
    let policy = try BehaviourPolicy(path: try writeActor(to: "actor.safetensors"))
    func collect(_ seed: UInt64, _ episodes: Int, in count: Int = 2) throws -> Demonstrations {
      let environments = try EnvironmentRegistry.standard.make("hopper", count: count)
      var collected = CollectedDemonstrations()
      try DemonstrationCollector(environments: environments, seed: seed) {
        try policy.player(in: $0, choice: .sampled, seed: $1)
      }.collect(into: &collected, episodes: episodes)
      #expect(collected.playedEpisodes == episodes && collected.clippedSteps == 0)
      let demonstrations = try #require(collected.demonstrations)
      #expect(demonstrations.returns == collected.episodes.map(\.totalReward))
      return demonstrations
    }
    let whole = try collect(7, 5)
    var pieces = try collect(7, 2, in: 1)
    pieces.append(try collect(9, 3, in: 3))
    #expect(whole.states == pieces.states && whole.actions == pieces.actions)
    #expect(whole.rewards == pieces.rewards && whole.lengths == pieces.lengths)
    #expect(whole.lengths.count == 5 && whole.lengths.reduce(0, +) == whole.stepCount)
    #expect(whole.terminals.count == whole.stepCount && whole.terminals.contains(true))
    #expect(try collect(8, 5).actions != whole.actions)
  }

  @Test func demonstrationsSurviveTheFile() throws {
    var demonstrations = Demonstrations(stateSize: 2, actionSize: 1)
    demonstrations.states = [1, 2, 3, 4, 5, 6]
    demonstrations.actions = [7, 8, 9]
    demonstrations.rewards = [0.5, 1, 2]
    demonstrations.terminals = [false, true, false]
    demonstrations.lengths = [2, 1]
    #expect(demonstrations.returns == [1.5, 2])
    let path = folder.appendingPathComponent("demos.npz").path
    try demonstrations.write(to: path)
    let file = try NPZFile(path: path)
    #expect(file.names.sorted() == ["actions", "rewards", "states", "terminals", "traj_lengths"])
    let states = try file.tensor(named: "states")
    #expect(states.shape == [3, 2] && states.elements == demonstrations.states)
    #expect(try file.tensor(named: "actions").shape == [3, 1])
    #expect(try file.integers(named: "traj_lengths") == [2, 1])
    #expect(try file.tensor(named: "terminals").elements == [0, 1, 0])
  }

  @Test func wrongFilesAreNamed() throws {
    let noMean = try writeActor(to: "no-mean.safetensors") { $0["mean.weight"] = nil }
    #expect(throws: PolicyError.notAnActor(path: noMean, missing: "mean.weight")) {
      try BehaviourPolicy(path: noMean)
    }
    let unfitting = try writeActor(to: "unfitting.safetensors") {
      $0["mean.weight"] = .zeros([3, 5])
      $0["log_std.weight"] = .zeros([3, 5])
    }
    #expect(throws: PolicyError.self) { try BehaviourPolicy(path: unfitting) }
    let policy = try BehaviourPolicy(path: try writeActor(to: "actor.safetensors"))
    let pushT = try EnvironmentRegistry.standard.make("push-t")
    let error = #expect(throws: PolicyError.self) {
      try policy.player(in: pushT, choice: .sampled, seed: 0)
    }
    #expect(error?.description.contains("push-t") == true)
  }
}

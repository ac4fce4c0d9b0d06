import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Updates of the methods that train a policy's network off policy against the reference's losses; see
/// `off_policy.py`.
@Suite struct OffPolicyGoldenTests {
  private let goldens: GoldenTensors
  /// N
  private let count = 16

  init() throws { goldens = try GoldenTensors("DiffusionPolicies/off-policy.safetensors") }

  private func tensors(_ prefix: String) throws -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for name in goldens.names where name.hasPrefix(prefix) {
      result[String(name.dropFirst(prefix.count))] = try goldens[name]
    }
    return result
  }

  /// The reference numbers critics in their names: Q1, Q2.
  private func critics(_ prefix: String) throws -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (name, tensor) in try tensors(prefix) {
      let member = name.hasPrefix("Q2.") ? 1 : 0
      result["members.\(member).\(name.dropFirst(3))"] = tensor
    }
    return result
  }

  private func start(
    _ method: String, _ change: (inout OffPolicyConfiguration) -> Void = { _ in }
  ) throws -> PolicyTrainingStart {
    var policy = PolicyConfiguration()
    policy.observationSteps = 2
    policy.network.hiddenSizes = [16, 16, 16]
    policy.network.timeEmbeddingSize = 8
    policy.denoising.stepCount = 6
    func unit(_ size: Int) -> MinMaxNormalization {
      MinMaxNormalization(
        minimum: Array(repeating: -1, count: size), maximum: Array(repeating: 1, count: size))
    }
    let checkpoint = PolicyCheckpoint(
      configuration: policy,
      normalization: DemonstrationNormalization(observations: unit(5), actions: unit(2)),
      weights: try tensors("\(method)/before.network.").prefixed("network"))
    var start = PolicyTrainingStart(checkpoint, configuration: DPPOConfiguration(), seed: 1)
    start.offPolicy.actorLearningRate = 1e-3
    start.offPolicy.criticLearningRate = 1e-3
    start.offPolicy.targetRate = 0.05
    start.offPolicy.critic.layers.hiddenSizes = [8, 8, 8]
    start.offPolicy.critic.layers.activation = .mish
    start.offPolicy.critic.layers.usesLayerNorm = false
    change(&start.offPolicy)
    return start
  }

  private func row(_ name: String, _ update: Int) throws -> Tensor { try goldens[name][update] }

  private func batch(_ method: String, _ update: Int) throws -> ReplayBatch {
    ReplayBatch(
      observations: try row("\(method)/observations", update),
      actions: try row("\(method)/chunks", update).flattened(from: 1),
      rewards: try row("\(method)/rewards", update),
      discounts: try row("\(method)/discounts", update),
      nextObservations: try row("\(method)/next-observations", update))
  }

  private func draws(_ method: String, _ update: Int) throws -> DenoiserLearner.Draws {
    let times = try goldens.integers("\(method)/times")
    return DenoiserLearner.Draws(
      times: Array(times[update * count..<(update + 1) * count]),
      noise: try row("\(method)/noise", update))
  }

  private func expectClose(
    _ found: [String: Tensor], _ expected: [String: Tensor], _ comment: String,
    tolerance: Float = 5e-5
  ) throws {
    #expect(found.count == expected.count && !found.isEmpty, "\(comment)")
    for (name, tensor) in found {
      let wanted = try #require(expected[name], "\(comment) \(name)")
      let difference = zip(tensor.elements, wanted.elements).map { abs($0 - $1) }.max() ?? 0
      #expect(difference < tolerance, "\(comment) \(name): \(difference)")
    }
  }

  private func expectLoss(
    _ metrics: Metrics, _ key: String, _ golden: String, _ update: Int
  ) throws {
    let expected = Double(try goldens[golden].elements[update])
    let found = try #require(metrics[key])
    #expect(abs(found - expected) < 2e-5 * max(1, abs(expected)), "\(golden) \(update): \(found)")
  }

  private func expectPolicy(_ method: String, _ policy: DiffusionPolicy) throws {
    try expectClose(
      policy.parameters.values, tensors("\(method)/after.network."), "\(method) policy")
  }

  @Test func idqlMatchesReference() throws {
    let method = try IDQL(start("idql"))
    try method.q.critics.parameters.load(critics("idql/before.critics."))
    try method.q.targets.parameters.load(critics("idql/before.targets."))
    try method.values.parameters.load(critics("idql/before.values."))
    for update in 0..<3 {
      var metrics = Metrics(IDQL.metrics)
      try method.update(batch("idql", update), draws("idql", update), &metrics)
      try expectLoss(metrics, "valueLoss", "idql/value-loss", update)
      try expectLoss(metrics, "criticLoss", "idql/critic-loss", update)
      try expectLoss(metrics, "actorLoss", "idql/actor-loss", update)
    }
    try expectPolicy("idql", method.policy)
    try expectClose(
      method.q.critics.parameters.values, critics("idql/after.critics."), "critics")
    try expectClose(
      method.q.targets.parameters.values, critics("idql/after.targets."), "targets")
    try expectClose(method.values.parameters.values, critics("idql/after.values."), "values")
  }

  @Test func dqlMatchesReference() throws {
    let method = try DQL(start("dql") { $0.dql.qWeight = 0.7 })
    try method.q.critics.parameters.load(critics("dql/before.critics."))
    let climbsFirst = try goldens.integers("dql/climbs-first")
    for update in 0..<3 {
      var metrics = Metrics(DQL.metrics)
      let draws = DQL.Draws(
        denoising: try draws("dql", update), chain: try row("dql/chain", update),
        climbsFirst: climbsFirst[update] == 1)
      try method.updatePolicy(batch("dql", update), draws, &metrics)
      try expectLoss(metrics, "actorLoss", "dql/actor-loss", update)
    }
    try expectPolicy("dql", method.policy)
  }

  @Test func qsmMatchesReference() throws {
    let method = try QSM(start("qsm"))
    try method.q.critics.parameters.load(critics("qsm/before.critics."))
    for update in 0..<3 {
      var metrics = Metrics(QSM.metrics)
      try method.updatePolicy(batch("qsm", update), draws("qsm", update), &metrics)
      try expectLoss(metrics, "actorLoss", "qsm/actor-loss", update)
    }
    try expectPolicy("qsm", method.policy)
  }

  @Test func dipoMatchesReference() throws {
    let method = try DIPO(
      start("dipo") {
        $0.dipo.climbSteps = 5
        $0.dipo.climbLearningRate = 3e-2
      })
    try method.q.critics.parameters.load(critics("dipo/before.critics."))
    for update in 0..<3 {
      var metrics = Metrics(DIPO.metrics)
      let batch = try batch("dipo", update)
      let moved = try method.climbed(
        from: batch.actions, states: batch.observations, &metrics)
      try expectClose(
        ["chunks": moved], ["chunks": row("dipo/climbed", update)], "climbed \(update)")
      #expect(metrics["qGain"]! > 0)
      try method.imitate(moved, batch.observations, draws("dipo", update), &metrics)
      try expectLoss(metrics, "actorLoss", "dipo/actor-loss", update)
    }
    try expectPolicy("dipo", method.learner.policy)
  }

  @Test func drwrMatchesReference() throws {
    let method = try DRWR(
      start("drwr") {
        $0.drwr.weighting.beta = 2
        $0.drwr.weighting.maxWeight = 5
      })
    let weighting = method.weighting
    for update in 0..<3 {
      var metrics = Metrics(DRWR.metrics)
      let batch = try batch("drwr", update)
      let weights = Tensor(
        weighting.weights(
          try row("drwr/returns", update).elements, epsilon: 1e-3, correction: 0))
      try expectClose(
        ["weights": weights], ["weights": row("drwr/weights", update)], "drwr \(update)")
      let decisions = (0..<count).map { row in
        DRWR.Decision(
          state: batch.observations[row].elements, action: batch.actions[row].elements, reward: 0,
          stepCount: 4)
      }
      try method.update(decisions, weights: weights, draws("drwr", update), &metrics)
      try expectLoss(metrics, "actorLoss", "drwr/actor-loss", update)
    }
    try expectPolicy("drwr", method.policy)
  }

  @Test func dawrMatchesReference() throws {
    let method = try DAWR(
      start("dawr") {
        $0.dawr.weighting.beta = 2
        $0.dawr.weighting.maxWeight = 5
      })
    for update in 0..<3 {
      var metrics = Metrics(DAWR.metrics)
      try method.updatePolicy(
        batch("dawr", update), advantages: row("dawr/advantages", update).elements,
        draws("dawr", update), &metrics)
      let weights = try row("dawr/weights", update).elements
      let mean = Double(weights.reduce(0, +)) / Double(count)
      #expect(abs(try #require(metrics["meanWeight"]) - mean) < 1e-4)
      try expectLoss(metrics, "actorLoss", "dawr/actor-loss", update)
    }
    try expectPolicy("dawr", method.policy)
  }
}

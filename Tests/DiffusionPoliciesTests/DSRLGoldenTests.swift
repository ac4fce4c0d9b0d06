import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Updates of DSRL against PyTorch's, around the denoising of the DPPO reference; see `dsrl.py`.
@Suite struct DSRLGoldenTests {
  private let goldens: GoldenTensors

  init() throws { goldens = try GoldenTensors("DiffusionPolicies/dsrl.safetensors") }

  private func tensors(_ prefix: String) throws -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for name in goldens.names where name.hasPrefix(prefix) {
      result[String(name.dropFirst(prefix.count))] = try goldens[name]
    }
    return result
  }

  private func method(_ variant: DSRLConfiguration.Variant, _ group: String) throws -> DSRL {
    var policy = PolicyConfiguration()
    policy.observationSteps = 2
    policy.horizonSteps = 4
    policy.actionSteps = 3
    policy.network.hiddenSizes = [16, 16, 16]
    policy.network.timeEmbeddingSize = 8
    policy.denoising.stepCount = 6
    policy.denoising.sampler = .ddim
    policy.denoising.ddimStepCount = 3
    func unit(_ size: Int) -> MinMaxNormalization {
      MinMaxNormalization(
        minimum: Array(repeating: -1, count: size), maximum: Array(repeating: 1, count: size))
    }
    let checkpoint = PolicyCheckpoint(
      configuration: policy,
      normalization: DemonstrationNormalization(observations: unit(5), actions: unit(2)),
      weights: try tensors("network.").prefixed("network"))
    var start = PolicyTrainingStart(checkpoint, configuration: DPPOConfiguration(), seed: 1)
    start.offPolicy.criticLearningRate = 1e-3
    start.offPolicy.actorLearningRate = 1e-3
    start.offPolicy.targetRate = 0.05
    start.offPolicy.critic.layers.hiddenSizes = [8, 8]
    start.offPolicy.dsrl.variant = variant
    start.offPolicy.dsrl.noise.actor.hiddenSizes = [8, 8]
    start.offPolicy.dsrl.initialTemperature = 0.3
    start.offPolicy.dsrl.targetEntropy = 0.5
    start.offPolicy.dsrl.temperatureLearningRate = 1e-2
    let method = try DSRL(start)
    let before = "\(group)/before"
    try method.policy.actor.parameters.load(tensors("\(before).actor."))
    try method.critics.parameters.load(tensors("\(before).critics."))
    try method.targets.parameters.load(tensors("\(before).targets."))
    try method.noiseCritics?.parameters.load(tensors("\(before).noise-critics."))
    return method
  }

  private func expectClose(
    _ found: [String: Tensor], _ prefix: String, tolerance: Float = 5e-5
  ) throws {
    let expected = try tensors(prefix)
    #expect(found.count == expected.count && !found.isEmpty, "\(prefix)")
    for (name, tensor) in found {
      let wanted = try #require(expected[name], "\(prefix)\(name)")
      let difference = zip(tensor.elements, wanted.elements).map { abs($0 - $1) }.max() ?? 0
      #expect(difference < tolerance, "\(prefix)\(name): \(difference)")
    }
  }

  @Test(arguments: [
    (DSRLConfiguration.Variant.noiseAliasing, "noise-aliasing"), (.sac, "sac"),
  ])
  func updatesMatchReference(variant: DSRLConfiguration.Variant, group: String) throws {
    let method = try method(variant, group)
    func row(_ name: String, _ index: Int) throws -> Tensor {
      try goldens["\(group)/\(name)"][index]
    }
    for update in 0..<4 {
      var metrics = Metrics(DSRL.metrics)
      let batch = ReplayBatch(
        observations: try row("observations", update), actions: try row("actions", update),
        rewards: try row("rewards", update), discounts: try row("discounts", update),
        nextObservations: try row("next-observations", update))
      let draws = DSRL.Draws(
        next: try row("next-noise", update), present: try row("present-noise", update))
      try method.update(batch, draws, &metrics)
      for (name, key) in [("critic-loss", "criticLoss"), ("actor-loss", "actorLoss")] {
        let expected = Double(try row(name, update).scalar)
        let found = try #require(metrics[key])
        #expect(abs(found - expected) < 1e-5 * max(1, abs(expected)), "\(name) \(update)")
      }
      guard variant == .noiseAliasing, update % 2 == 1 else { continue }
      for index in [update - 1, update] {
        var metrics = Metrics(DSRL.metrics)
        let batch = ReplayBatch(
          observations: try row("distill.observations", index), actions: .zeros([16, 1]),
          rewards: .zeros([16]), discounts: .zeros([16]), nextObservations: .zeros([16, 1]))
        try method.distill(batch, noise: row("distill.noise", index), &metrics)
        let expected = Double(try row("distill-loss", index).scalar)
        let found = try #require(metrics["noiseCriticLoss"])
        #expect(abs(found - expected) < 1e-5 * max(1, abs(expected)), "distillation \(index)")
      }
    }
    let after = "\(group)/after"
    try expectClose(method.policy.actor.parameters.values, "\(after).actor.")
    try expectClose(method.critics.parameters.values, "\(after).critics.")
    try expectClose(method.targets.parameters.values, "\(after).targets.")
    if let noiseCritics = method.noiseCritics {
      try expectClose(noiseCritics.parameters.values, "\(after).noise-critics.")
    }
    try expectClose(method.temperature.parameters.values, "\(after).temperature.")
  }
}

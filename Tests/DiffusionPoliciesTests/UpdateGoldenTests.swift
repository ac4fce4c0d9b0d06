import Environments
import Foundation
import NeuralNetworks
import ReinforcementLearning
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Twenty updates of policy, critic and eta as fine-tuning makes them, against the reference's.
@Suite struct UpdateGoldenTests {
  private let layout = ObservationLayout(stepCount: 2, stateSize: 5)
  private let goldens: GoldenTensors

  init() throws {
    goldens = try GoldenTensors(
      "DiffusionPolicies/dppo-update.safetensors", "DiffusionPolicies/gmm.safetensors")
  }

  /// A variant of the goldens; see the README beside them.
  struct Variant: CustomTestStringConvertible, Sendable {
    var group: String
    var name: String
    var configure: @Sendable (inout DPPOConfiguration) -> Void = { _ in }

    var testDescription: String { "\(group)/\(name)" }
  }

  static let variants = [
    Variant(group: "ddpm", name: "default"),
    Variant(group: "ddpm", name: "value-clip") { $0.valueClipRange = 0.2 },
    Variant(group: "ddpm", name: "behaviour-cloning") { $0.bcLossCoefficient = 0.1 },
    Variant(group: "ddpm", name: "clip-schedule") {
      $0.clipRangeBase = 0.005
      $0.clipRange = 0.05
      $0.gammaDenoising = 0.8
    },
    Variant(group: "ddpm", name: "advantage-quantiles") {
      $0.lowerAdvantageQuantile = 0.1
      $0.upperAdvantageQuantile = 0.9
    },
    Variant(group: "ddpm", name: "raw-advantages") { $0.normalizesAdvantages = false },
    Variant(group: "ddpm", name: "gradient-clip") {
      $0.gradientNormLimit = 0.05
      $0.weightDecay = 0.1
    },
    Variant(group: "ddpm-all-steps", name: "default"),
    Variant(group: "ddim", name: "learned-eta") { $0.entropyCoefficient = 0.1 },
    Variant(group: "gaussian-fixed", name: "default"),
    Variant(group: "gaussian-fixed", name: "behaviour-cloning") {
      $0.bcLossCoefficient = 0.1
      $0.valueClipRange = 0.2
    },
    Variant(group: "gaussian-learned", name: "default") { $0.entropyCoefficient = 0.02 },
    Variant(group: "gmm-ppo-fixed", name: "default"),
    Variant(group: "gmm-ppo-fixed", name: "value-clip") { $0.valueClipRange = 0.2 },
    Variant(group: "gmm-ppo-learned", name: "default") { $0.entropyCoefficient = 0.02 },
  ]

  private func policyConfiguration(_ group: String) -> PolicyConfiguration {
    var policy = PolicyConfiguration()
    policy.observationSteps = 2
    policy.horizonSteps = 4
    policy.actionSteps = 3
    policy.network.hiddenSizes = [16, 16, 16]
    policy.network.timeEmbeddingSize = 8
    policy.denoising.stepCount = 6
    if group == "ddim" {
      policy.denoising.stepCount = 20
      policy.denoising.sampler = .ddim
      policy.denoising.ddimStepCount = 5
    }
    if Self.hasDensity(group) {
      policy.network.kind = group.hasPrefix("gmm") ? .gmm : .gaussian
      policy.network.modes = 3
      policy.network.stdKind = group.hasSuffix("learned") ? .learned : .fixed
      policy.network.maxStd = 0.2
    }
    return policy
  }

  /// Whether a group's policies give chunks in one step.
  private static func hasDensity(_ group: String) -> Bool {
    group.hasPrefix("gaussian") || group.hasPrefix("gmm")
  }

  private func tuning(_ variant: Variant) -> DPPOConfiguration {
    var tuning = DPPOConfiguration()
    tuning.clipRange = Self.hasDensity(variant.group) ? 0.05 : 0.02
    tuning.clipRangeBase = tuning.clipRange
    tuning.fineTunedSteps =
      switch variant.group {
      case "ddpm": 4
      case "ddpm-all-steps": 6
      case "ddim": 3
      default: 1
      }
    tuning.exploration.learnsEta = variant.group == "ddim"
    // The denoising discount of the last, and only, step is 1.
    variant.configure(&tuning)
    return tuning
  }

  private func makePolicy(
    _ group: String, _ tuning: DPPOConfiguration
  ) throws -> any LikelihoodPolicy {
    let configuration = policyConfiguration(group)
    let random = RandomStream(seed: 1)
    let policy: any LikelihoodPolicy =
      switch configuration.network.kind {
      case .gaussian:
        try GaussianPolicy(configuration, layout: layout, actionSize: 2, random: random)
      case .gmm:
        try GaussianMixturePolicy(configuration, layout: layout, actionSize: 2, random: random)
      case .mlp, .unet:
        try DiffusionPolicy(
          configuration, exploration: tuning.exploration, layout: layout, actionSize: 2,
          transitionCount: tuning.fineTunedSteps, random: random)
      }
    var weights: [String: Tensor] = [:]
    for role in ["actor", "actor_ft", "eta"] {
      for (name, value) in try goldens.tensors(of: group, role: "before.\(role)") {
        weights["\(role).\(name)"] = value
      }
    }
    try policy.load(weights)
    return policy
  }

  /// The golden's decisions, as if they had been rolled out.
  private func rollout(
    _ group: String
  ) throws -> (Rollout, AdvantageEstimates) {
    let observations = Observations(try goldens["\(group)/observations"])
    let count = observations.count
    let states: Tensor
    let logProbabilities: Tensor
    let old = try goldens["\(group)/old-log-probabilities"]
    if Self.hasDensity(group) {
      let actions = try goldens["\(group)/actions"].expandingDimension(at: 1)
      states = .concatenated([.zeros(actions.shape), actions], along: 1)
      logProbabilities = old.clamped(to: -5, 2)
    } else {
      states = try goldens["\(group)/chains"]
      logProbabilities = old.reshaped(to: [-1, 4, 2]).meanOfExecutedLogProbabilities(
        actionSteps: 3)
    }
    let none = [Bool](repeating: false, count: count)
    let rollout = Rollout(
      observations: observations, states: states, logProbabilities: logProbabilities.elements,
      rewards: [Float](repeating: 0, count: count), finalObservations: observations,
      finalRows: Array(repeating: nil, count: count), isTerminated: none, isFinished: none,
      isFirst: none, environmentCount: 1)
    let estimates = AdvantageEstimates(
      values: try goldens["\(group)/old-values"].elements,
      advantages: try goldens["\(group)/advantages"].elements,
      returns: try goldens["\(group)/returns"].elements)
    return (rollout, estimates)
  }

  @Test(arguments: variants) func twentyUpdatesAgree(_ variant: Variant) throws {
    let tuning = tuning(variant)
    try check(variant, tuning, makePolicy(variant.group, tuning))
  }

  private func check(
    _ variant: Variant, _ tuning: DPPOConfiguration, _ policy: some LikelihoodPolicy
  ) throws {
    let (group, name) = (variant.group, "\(variant.group)/\(variant.name)")
    var random = RandomStream(seed: 2)
    let critic = ObservingCritic(
      FlatteningEncoder(layout),
      Critic(conditionSize: 10, hiddenSizes: [16, 16, 16], random: &random))
    try critic.parameters.load(try goldens.tensors(of: group, role: "before.critic"))
    let (rollout, estimates) = try rollout(group)
    let loss = DPPOLoss(
      policy: policy, critic: critic, configuration: tuning, communicator: SingleProcess())
    func optimizer(_ parameters: NamedParameters, _ rate: Float) -> Adam {
      .withDecoupledDecay(
        parameters, learningRate: rate, weightDecay: Float(tuning.weightDecay))
    }
    let policyOptimizer = optimizer(policy.parameters, 1e-3)
    let criticOptimizer = optimizer(critic.parameters, 3e-3)
    let etaOptimizer = policy.explorationParameters.map { optimizer($0, 1e-2) }
    let minibatches = try goldens.integers("\(group)/minibatches")

    for step in 0..<20 {
      let pairs = minibatches[16 * step..<16 * (step + 1)]
      let teacher: Tensor? =
        if tuning.bcLossCoefficient == 0 {
          nil
        } else if Self.hasDensity(group) {
          try { (actions: Tensor) in
            .concatenated([.zeros(actions.shape), actions], along: 1)
          }(goldens["\(name)/teacher-actions"][step].expandingDimension(at: 1))
        } else {
          try goldens["\(name)/teacher-chains"][step]
        }
      let result = try loss.policyGradients(
        loss.batch(rollout, advantages: estimates.advantages, pairs)
      ) { rows, _ in teacher!.slice(rows) }
      let values = try loss.criticGradients(
        CriticBatch(rollout, estimates, pairs, transitionCount: policy.transitionCount))
      let statistics = ProximalPolicyLoss.Statistics(result.sums)
      let parts: [(String, Double)] = [
        ("policy-loss", result.sums["policyLoss"]), ("value-loss", values.loss),
        ("behaviour-cloning-loss", result.sums["bcLoss"]),
        ("clip-fraction", statistics.clipped / statistics.count),
        ("approximate-kl", statistics.divergence / statistics.count),
        ("mean-ratio", statistics.ratio / statistics.count),
      ]
      for (part, value) in parts {
        let expected = try goldens["\(name)/\(part)"].elements[step]
        expectClose(
          Tensor(Float(value)), Tensor(expected), relative: 1e-4, absolute: 2e-6,
          "\(name) \(part) of update \(step)")
      }
      if tuning.entropyCoefficient != 0 {
        let expected = try goldens["\(name)/entropy-loss"].elements[step]
        expectClose(
          Tensor(Float(-result.sums["entropy"])), Tensor(expected), relative: 1e-4, absolute: 1e-6,
          "\(name) entropy of update \(step)")
      }
      if step == 0 {
        try expectGradients(result.gradients, policy.parameters, name, "actor_ft")
        try expectGradients(values.gradients, critic.parameters, name, "critic")
        if let eta = policy.explorationParameters {
          try expectGradients(result.gradients, eta, name, "eta")
        }
      }
      let limit = tuning.gradientNormLimit
      let (scale, _) = result.gradients.clippingScale(
        maximumNorm: limit > 0 ? limit : .infinity, parameters: policy.parameters)
      policyOptimizer.step(result.gradients, gradientScale: limit > 0 ? scale : 1)
      etaOptimizer?.step(result.gradients)
      criticOptimizer.step(values.gradients)
    }
    try expectWeights(policy.parameters, name, "actor_ft")
    try expectWeights(critic.parameters, name, "critic")
    if let eta = policy.explorationParameters { try expectWeights(eta, name, "eta") }
  }

  private func expectGradients(
    _ gradients: Gradients, _ parameters: NamedParameters, _ name: String, _ role: String
  ) throws {
    let expected = try goldens.tensors(of: name, role: "gradient.\(role)")
    #expect(!expected.isEmpty)
    for (parameter, value) in expected {
      let leaf = try #require(parameters[parameter]).leaf
      expectClose(
        gradients[leaf], value, relative: 1e-4, "\(name) gradient of \(role).\(parameter)")
    }
  }

  private func expectWeights(
    _ parameters: NamedParameters, _ name: String, _ role: String
  ) throws {
    let expected = try goldens.tensors(of: name, role: "after.\(role)")
    #expect(expected.count == parameters.count)
    for (parameter, value) in expected {
      expectClose(
        parameters[parameter]?.value, value, relative: 1e-4, "\(name) \(role).\(parameter) after")
    }
  }
}

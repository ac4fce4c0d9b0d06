import Configuration
import Diffusion
import Environments
import Files
import NeuralNetworks
import ReinforcementLearning
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// A pixel policy of the DPPO reference: its checkpoint, and twenty updates of it.
@Suite struct VisionUpdateGoldenTests {
  private let goldens: GoldenTensors
  private let path = Repository.golden("DiffusionPolicies/pixels.pt")

  init() throws { goldens = try GoldenTensors("DiffusionPolicies/vision-update.safetensors") }

  private func cameras(_ count: Int) -> [Camera] {
    (0..<count).map { Camera(name: "camera \($0)", width: 24, height: 24) }
  }

  private func observations(cameras count: Int, state: Tensor) -> Observations {
    var inputs = GoldenNetworks.inputs
    let images = cameras(count).map { camera in
      let bytes = GoldenNetworks.bytes([state.shape[0], 1, 24, 24, 3], &inputs)
      return (camera.name, CameraImages(camera, stepCount: 1, bytes: bytes))
    }
    return Observations(state, images: Dictionary(uniqueKeysWithValues: images))
  }

  private var configuration: PolicyConfiguration {
    var policy = PolicyConfiguration()
    policy.horizonSteps = 4
    policy.actionSteps = 3
    policy.network.hiddenSizes = [16, 16, 16]
    policy.network.timeEmbeddingSize = 8
    policy.denoising.stepCount = 20
    policy.denoising.sampler = .ddim
    policy.denoising.ddimStepCount = 5
    policy.encoder.kind = "vit"
    policy.encoder.vit.width = 8
    policy.encoder.vit.headCount = 2
    policy.encoder.vit.featureCount = 6
    return policy
  }

  private let normalization = DemonstrationNormalization(
    observations: MinMaxNormalization(
      minimum: Array(repeating: -1, count: 5), maximum: Array(repeating: 1, count: 5)),
    actions: MinMaxNormalization(minimum: [-1, -1], maximum: [1, 1]))

  private func imported(
    _ change: (inout PolicyConfiguration) -> Void = { _ in }, cameras count: Int = 2
  ) throws -> PolicyCheckpoint {
    var policy = configuration
    change(&policy)
    return try PolicyCheckpoint(
      try ReferenceCheckpoint(path: path), configuration: policy, normalization: normalization,
      fineTunedSteps: 3, cameras: cameras(count))
  }

  /// Every weight, bit for bit, under its name; what reads images under `encoder`.
  @Test func everyWeightIsImported() throws {
    let checkpoint = try imported()
    let file = try PyTorchFile(path: path)
    var names: Set<String> = []
    for name in file.names where !name.hasPrefix("model/network.") {
      var parts = name.dropFirst("model/".count).split(separator: ".").map(String.init)
      if parts[1] == "backbone" || parts[1].hasPrefix("compress") {
        parts.insert("encoder", at: 1)
      }
      let imported = parts.joined(separator: ".")
      names.insert(imported)
      let weight = try #require(checkpoint.weights[imported], "\(imported)")
      #expect(weight.elements == (try file.tensor(named: name).elements), "\(imported)")
    }
    #expect(Set(checkpoint.weights.keys) == names)
    #expect(names.contains("actor_ft.encoder.compress2.input_proj.0.weight"))
    #expect(names.contains("critic.encoder.backbone.vit.patch_embed.embed.3.bias"))
    #expect(checkpoint.cameras == cameras(2) && checkpoint.fineTunedSteps == 3)
    // A checkpoint of Attune's is read back the same.
    let folder = try TemporaryFolder()
    try checkpoint.write(to: folder.file("policy.safetensors"))
    let again = try PolicyCheckpoint(path: folder.file("policy.safetensors"))
    #expect(again.configuration == checkpoint.configuration && again.cameras == cameras(2))
    #expect(
      again.weights.mapValues(\.elements) == checkpoint.weights.mapValues(\.elements))
  }

  /// The same chunks and values for the same noise and images.
  @Test func importedPolicyActsAsTheReference() throws {
    let checkpoint = try imported()
    let policy = try checkpoint.makeDiffusionPolicy()
    let seen = observations(cameras: 2, state: try goldens["checkpoint/state"])
    let process = DenoisingProcess(
      sampler: DDIMSampler(
        .policyCosine(timeStepCount: 20), count: 5, eta: .fixed(1), estimateLimit: 1,
        recomputesNoise: true),
      noiseRule: .atLeast(0.1), noiseLimit: 3, finalLimit: 1)
    let times = process.sampler.timeSteps
    let noises = try goldens["checkpoint/noise"]
    var noise = RecordedNoise((1..<noises.shape[0]).map { noises[$0] })
    let chain = process.rollout(
      from: noises[0], keeping: .last(3), noise: &noise,
      denoiser: StagedDenoiser(
        frozen: policy.frozen.bound(to: seen, times: Array(times[..<2])),
        fineTuned: policy.fineTuned.bound(to: seen, times: Array(times[2...])),
        fineTunedSteps: 3))
    expectClose(chain.sample, try goldens["checkpoint/chunks"], "chunks")
    expectClose(chain.stackedStates, try goldens["checkpoint/chains"], "chains")
    var random = RandomStream(seed: 1)
    let critic = try configuration.makeCritic(
      try #require(checkpoint.critic), checkpoint.layout, random: &random)
    try critic.parameters.load(checkpoint.weights.under("critic"))
    expectClose(critic(seen), try goldens["checkpoint/values"], "values")
  }

  @Test func whatTheWeightsAreNotIsRefused() throws {
    func problem(
      _ change: @escaping (inout PolicyConfiguration) -> Void, cameras count: Int = 2
    ) -> String {
      let error = #expect(throws: ReferenceCheckpointError.self) {
        _ = try imported(change, cameras: count)
      }
      return error.map { "\($0)" } ?? "none"
    }
    let kind = problem { $0.encoder.kind = "flatten" }
    #expect(kind.contains("encoder.kind vit") && kind.contains("flatten"))
    #expect(problem { $0.encoder.vit.width = 16 }.contains("encoder.vit.width 8"))
    #expect(problem { $0.encoder.vit.depth = 2 }.contains("encoder.vit.depth 1"))
    #expect(problem { $0.encoder.vit.featureCount = 7 }.contains("featureCount 6"))
    #expect(problem { $0.encoder.vit.patchEmbedding = .embed1 }.contains("embed2"))
    #expect(problem { $0.encoder.vit.imageSteps = 2 }.contains("imageSteps 1"))
    #expect(problem({ _ in }, cameras: 1).contains("cameras"))
    // A policy on states has no use for cameras.
    let blind = #expect(throws: ReferenceCheckpointError.self) {
      var policy = PolicyConfiguration()
      policy.network = configuration.network
      _ = try PolicyCheckpoint(
        try ReferenceCheckpoint(path: Repository.golden("DiffusionPolicies/finetuned.pt")),
        configuration: policy, normalization: normalization, fineTunedSteps: 4,
        cameras: cameras(1))
    }
    #expect(blind.map { "\($0)" }?.contains("cameras") == true)
  }

  /// Losses of all updates, gradients of the first one, and the weights after them.
  @Test func twentyUpdatesAgree() throws {
    let layout = ObservationLayout(stepCount: 1, stateSize: 5, cameras: cameras(1))
    var tuning = DPPOConfiguration()
    (tuning.clipRange, tuning.clipRangeBase, tuning.fineTunedSteps) = (0.02, 0.02, 3)
    tuning.critic.hiddenSizes = [16, 16, 16]
    let policy = try DiffusionPolicy(
      configuration, exploration: tuning.exploration, layout: layout, actionSize: 2,
      transitionCount: 3, random: RandomStream(seed: 1))
    try policy.load(
      weights("before", "actor").prefixed("actor")
        .merging(weights("before", "actor_ft").prefixed("actor_ft")) { first, _ in first })
    var random = RandomStream(seed: 2)
    let critic = try configuration.makeCritic(tuning.critic, layout, random: &random)
    try critic.parameters.load(weights("before", "critic"))
    let (rollout, estimates) = try rollout()
    let loss = DPPOLoss(
      policy: policy, critic: critic, configuration: tuning, communicator: SingleProcess())
    let policyOptimizer = Adam.withDecoupledDecay(
      policy.parameters, learningRate: 1e-3, weightDecay: 0)
    let criticOptimizer = Adam.withDecoupledDecay(
      critic.parameters, learningRate: 3e-3, weightDecay: 0)
    let minibatches = try goldens.integers("update/minibatches")
    for step in 0..<20 {
      let pairs = minibatches[16 * step..<16 * (step + 1)]
      let result = try loss.policyGradients(
        loss.batch(rollout, advantages: estimates.advantages, pairs)
      ) { _, _ in Tensor(0) }
      let values = try loss.criticGradients(
        CriticBatch(rollout, estimates, pairs, transitionCount: 3))
      let found = [("policy-loss", result.sums["policyLoss"]), ("value-loss", values.loss)]
      for (part, value) in found {
        let expected = try goldens["update/\(part)"].elements[step]
        expectClose(
          Tensor(Float(value)), Tensor(expected), relative: 1e-4, absolute: 2e-6,
          "\(part) of update \(step)")
      }
      if step == 0 {
        try check("gradient", "actor_ft", policy.parameters) { result.gradients[$0.leaf] }
        try check("gradient", "critic", critic.parameters) { values.gradients[$0.leaf] }
      }
      policyOptimizer.step(result.gradients)
      criticOptimizer.step(values.gradients)
    }
    try check("after", "actor_ft", policy.parameters) { $0.value }
    try check("after", "critic", critic.parameters) { $0.value }
  }

  private func weights(_ moment: String, _ role: String) throws -> [String: Tensor] {
    let stored = try goldens.tensors(of: "update", role: "\(moment).\(role)")
    return Dictionary(
      uniqueKeysWithValues: stored.map { (ImportedEncoder.name(ofReference: $0), $1) })
  }

  private func check(
    _ moment: String, _ role: String, _ parameters: NamedParameters,
    _ value: (Parameter) -> Tensor?
  ) throws {
    let expected = try weights(moment, role)
    #expect(expected.count == parameters.count)
    for (name, golden) in expected {
      let found = value(try #require(parameters[name], "\(role).\(name)"))
      // A bias of keys moves all scores of a query alike, and has no gradient but rounding, which
      // Adam makes steps of.
      let isCompared: (Tensor) -> Tensor = { tensor in
        guard name.hasSuffix("qkv_proj.bias") else { return tensor }
        return .concatenated([tensor.slice(0..<8), tensor.slice(16..<24)], along: 0)
      }
      expectClose(
        found.map(isCompared), isCompared(golden), relative: 1e-4, "\(moment) \(role).\(name)")
    }
  }

  private func rollout() throws -> (Rollout, AdvantageEstimates) {
    let seen = observations(cameras: 1, state: try goldens["update/state"])
    let old = try goldens["update/old-log-probabilities"].reshaped(to: [-1, 4, 2])
    let none = [Bool](repeating: false, count: seen.count)
    let rollout = Rollout(
      observations: seen, states: try goldens["update/chains"],
      logProbabilities: old.meanOfExecutedLogProbabilities(actionSteps: 3).elements,
      rewards: [Float](repeating: 0, count: seen.count), finalObservations: seen,
      finalRows: Array(repeating: nil, count: seen.count), isTerminated: none, isFinished: none,
      isFirst: none, environmentCount: 1)
    return (
      rollout,
      AdvantageEstimates(
        values: try goldens["update/old-values"].elements,
        advantages: try goldens["update/advantages"].elements,
        returns: try goldens["update/returns"].elements)
    )
  }
}

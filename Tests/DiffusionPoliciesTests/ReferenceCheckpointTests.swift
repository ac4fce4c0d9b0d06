import Diffusion
import DiffusionPolicies
import Environments
import Foundation
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// Checkpoints that the DPPO reference wrote sample the same chunks here for the same noise.
@Suite struct ReferenceCheckpointTests {
  private let goldens: GoldenTensors
  private var random = RandomStream(seed: 6)

  init() throws { goldens = try GoldenTensors("DiffusionPolicies/checkpoints.safetensors") }

  private func checkpoint(_ name: String) throws -> ReferenceCheckpoint {
    try ReferenceCheckpoint(path: Repository.golden("DiffusionPolicies/\(name)"))
  }

  /// A network made as the weights imply and loaded with them.
  private mutating func denoiser(
    _ checkpoint: ReferenceCheckpoint, _ part: ReferenceCheckpoint.Part, average: Bool? = nil,
    completing configuration: NetworkConfiguration = NetworkConfiguration()
  ) throws -> any ChunkDenoiser {
    let imported = try checkpoint.network(for: part, completing: configuration)
    #expect(imported.conditionSize == 10 && imported.chunkSize ?? 8 == 8)
    let network = try imported.configuration.makeDenoiser(
      actionSize: 2, horizonSteps: 4, conditionSize: 10, random: &random)
    try checkpoint.load(part, average: average, into: network)
    return network
  }

  /// Samples with the golden's noise and compares the final chunks and the kept chain.
  private func check(
    _ name: String, _ process: DenoisingProcess, _ networks: StagedDenoiser
  ) throws {
    let noises = try goldens["\(name)/noise"]  // [1 + K, B, Tp, Da]
    var noise = RecordedNoise((1..<noises.shape[0]).map { noises[$0] })
    let chain = process.rollout(
      from: noises[0], keeping: .last(networks.fineTunedSteps), noise: &noise, denoiser: networks)
    let error = expectClose(chain.sample, try goldens["\(name)/chunks"], "chunks of \(name)")
    print("\(name): greatest relative error \(error)")
    guard networks.fineTunedSteps > 0 else { return }
    expectClose(chain.stackedStates, try goldens["\(name)/chains"], "chain of \(name)")
  }

  private func ddpm(_ rule: NoiseRule) -> DenoisingProcess {
    DenoisingProcess(
      sampler: DDPMSampler(.policyCosine(timeStepCount: 20), estimateLimit: 1), noiseRule: rule,
      noiseLimit: 3, finalLimit: 1)
  }

  private func ddim(_ eta: DDIMSampler.Eta, _ rule: NoiseRule = .own) -> DenoisingProcess {
    DenoisingProcess(
      sampler: DDIMSampler(
        .policyCosine(timeStepCount: 20), count: 5, eta: eta, estimateLimit: 1,
        recomputesNoise: true),
      noiseRule: rule, noiseLimit: 3, finalLimit: 1)
  }

  @Test mutating func pretrained() throws {
    let checkpoint = try checkpoint("pretrained.pt")
    #expect(checkpoint.hasEMA && checkpoint.step == 3000 && checkpoint.parts == [.pretrained])
    let observations = try goldens["observations"].flattened(from: 1)
    let process = ddpm(.atLeastUntilLast(1e-3))
    for (name, average) in [("model", false), ("ema", true), ("ema", nil)] {
      let network = try denoiser(checkpoint, .pretrained, average: average)
      try check(
        "pretrained-\(name)", process,
        StagedDenoiser(network.bound(to: observations, times: process.sampler.timeSteps)))
    }
  }

  @Test mutating func pretrainedUnet() throws {
    var configuration = NetworkConfiguration()
    configuration.groupCount = 2
    configuration.groupNormEpsilon = 1e-4
    configuration.activation = .mish
    let checkpoint = try checkpoint("unet.pt")
    let network = try denoiser(checkpoint, .pretrained, completing: configuration)
    try check(
      "unet-ddim", ddim(.fixed(0)),
      StagedDenoiser(
        network.bound(
          to: try goldens["observations"].flattened(from: 1),
          times: ddim(.fixed(0)).sampler.timeSteps)))
    #expect(try checkpoint.network(for: .pretrained).actionSize == 2)
  }

  @Test mutating func fineTuned() throws {
    let checkpoint = try checkpoint("finetuned.pt")
    #expect(!checkpoint.hasEMA && checkpoint.step == 200)
    #expect(checkpoint.parts == [.pretrained, .fineTuned, .critic])
    let observations = try goldens["observations"].flattened(from: 1)
    let times = ddpm(.own).sampler.timeSteps
    let networks = StagedDenoiser(
      frozen: try denoiser(checkpoint, .pretrained).bound(to: observations, times: times),
      fineTuned: try denoiser(checkpoint, .fineTuned).bound(to: observations, times: times),
      fineTunedSteps: 4)
    try check("finetuned-training", ddpm(.atLeast(0.1)), networks)
    try check("finetuned-evaluation", ddpm(.atLeastUntilLast(1e-3)), networks)
    let (configuration, conditionSize) = try checkpoint.critic()
    #expect(conditionSize == 10 && configuration.hiddenSizes == [16, 16, 16])
    let critic = try configuration.makeCritic(
      conditionSize: 10, random: &random)
    try checkpoint.load(.critic, into: critic)
    expectClose(critic(observations), try goldens["finetuned/values"], "values")
  }

  @Test mutating func fineTunedWithLearnedEta() throws {
    let checkpoint = try checkpoint("finetuned-ddim.pt")
    let observations = try goldens["observations"].flattened(from: 1)
    let times = ddim(.fixed(0)).sampler.timeSteps
    let networks = StagedDenoiser(
      frozen: try denoiser(checkpoint, .pretrained).bound(to: observations, times: times),
      fineTuned: try denoiser(checkpoint, .fineTuned).bound(to: observations, times: times),
      fineTunedSteps: 3)
    let eta = LearnedEta(size: 2)
    try checkpoint.load(.eta, into: eta)
    try check("ddim-training", ddim(.learned(eta), .atLeast(0.1)), networks)
    try check("ddim-evaluation", ddim(.fixed(0)), networks)
  }

  @Test mutating func gaussian() throws {
    let checkpoint = try checkpoint("gaussian.pt")
    for (part, name) in [
      (ReferenceCheckpoint.Part.pretrained, "pretrained"), (.fineTuned, "finetuned"),
    ] {
      let imported = try checkpoint.network(for: part)
      #expect(imported.configuration.stdKind == .learned && imported.actionSize == 2)
      #expect(abs(imported.configuration.minStd - 0.01) < 1e-6)
      let network = try imported.configuration.makeDensityNetwork(
        GaussianMLP.self, actionSize: 2, horizonSteps: 4, conditionSize: 10,
        random: &random)
      try checkpoint.load(part, into: network)
      let distribution = network(try goldens["observations"].flattened(from: 1))
      expectClose(distribution.mean, try goldens["gaussian-\(name)/mean"], "mean of \(name)")
      expectClose(
        distribution.standardDeviation?.broadcast(to: [5, 4, 2]),
        try goldens["gaussian-\(name)/deviation"], "standard deviation of \(name)")
    }
  }

  /// Its networks lie twice in a checkpoint of fine-tuning, as `network` and as `actor_ft`.
  @Test mutating func gaussianMixture() throws {
    let goldens = try GoldenTensors("DiffusionPolicies/gmm.safetensors")
    let observations = try goldens["gmm-checkpoint/observations"]
    let checkpoint = try checkpoint("gmm.pt")
    #expect(checkpoint.parts == [.pretrained, .fineTuned, .critic] && checkpoint.step == 150)
    func expectSame(_ mixture: GaussianMixture, _ name: String) throws {
      expectClose(mixture.means, try goldens["gmm-checkpoint/output.mean"], "means of \(name)")
      expectClose(
        mixture.standardDeviations.broadcast(to: [5, 3, 4, 2]),
        try goldens["gmm-checkpoint/output.deviation"], "standard deviations of \(name)")
      expectClose(mixture.logits, try goldens["gmm-checkpoint/output.logits"], "logits of \(name)")
    }
    for part in [ReferenceCheckpoint.Part.pretrained, .fineTuned] {
      let imported = try checkpoint.network(for: part)
      let configuration = imported.configuration
      #expect(configuration.kind == .gmm && configuration.modes == 3)
      #expect(configuration.stdKind == .learned && configuration.hiddenSizes == [16, 16, 16])
      #expect(abs(configuration.minStd - 0.01) < 1e-6 && abs(configuration.maxStd - 0.2) < 1e-6)
      #expect(imported.conditionSize == 10 && imported.chunkSize == 8 && imported.actionSize == 2)
      let network = try configuration.makeDensityNetwork(
        GaussianMixtureMLP.self, actionSize: 2, horizonSteps: 4, conditionSize: 10,
        random: &random)
      try checkpoint.load(part, into: network)
      try expectSame(network(observations.flattened(from: 1)), part.rawValue)
    }

    var policy = PolicyConfiguration()
    policy.observationSteps = 2
    policy.network.kind = .gmm
    policy.network.modes = 3
    policy.network.stdKind = .learned
    policy.network.hiddenSizes = [16, 16, 16]
    func imported() throws -> PolicyCheckpoint {
      try PolicyCheckpoint(
        checkpoint, configuration: policy,
        normalization: DemonstrationNormalization(
          observations: MinMaxNormalization(
            minimum: Array(repeating: -1, count: 5), maximum: Array(repeating: 1, count: 5)),
          actions: MinMaxNormalization(minimum: [-1, -1], maximum: [1, 1])), fineTunedSteps: 0)
    }
    let made = try imported().makePolicy()
    let mixture = try #require(made as? GaussianMixturePolicy)
    try expectSame(mixture.network(Observations(observations)), "the policy")
    policy.network.modes = 4
    expectProblem(.configuration(.fineTuned, field: "modes", found: "3", expected: "4")) {
      try imported()
    }
  }

  @Test mutating func configurations() throws {
    var configuration = NetworkConfiguration()
    configuration.hiddenSizes = [16, 16, 16]
    configuration.timeEmbeddingSize = 8
    let checkpoint = try checkpoint("finetuned.pt")
    try checkpoint.check(configuration, for: .fineTuned)
    configuration.hiddenSizes = [16]
    expectProblem(
      .configuration(.fineTuned, field: "hiddenSizes", found: "[16, 16, 16]", expected: "[16]")
    ) { try checkpoint.check(configuration, for: .fineTuned) }
    configuration.kind = .unet
    expectProblem(.configuration(.fineTuned, field: "kind", found: "mlp", expected: "unet")) {
      try checkpoint.check(configuration, for: .fineTuned)
    }
  }

  @Test mutating func refusals() throws {
    let checkpoint = try checkpoint("finetuned.pt")
    expectProblem(.noEMA) { try checkpoint.weights(for: .critic, average: true) }
    expectProblem(.noPart(.eta, found: [.pretrained, .fineTuned, .critic])) {
      try checkpoint.weights(for: .eta)
    }
    let critic = Critic(conditionSize: 10, hiddenSizes: [16, 16, 16], random: &random)
    let missing = ParameterError.missing(
      name: "Q1.layers.0.weight", nearest: "mlp_mean.layers.0.weight")
    expectProblem(.weights(.fineTuned, missing)) { try checkpoint.load(.fineTuned, into: critic) }
    let narrow = Critic(conditionSize: 5, hiddenSizes: [16, 16, 16], random: &random)
    let misshapen = ParameterError.shape(
      name: "Q1.layers.0.weight", found: [16, 10], expected: [16, 5])
    expectProblem(.weights(.critic, misshapen)) { try checkpoint.load(.critic, into: narrow) }
    let plain = DiffusionMLP(
      actionSize: 2, horizonSteps: 4, conditionSize: 10, hiddenSizes: [16], isResidual: true,
      timeEmbeddingSize: 8, random: &random)
    let error = #expect(throws: ReferenceCheckpointError.self) {
      try checkpoint.load(.fineTuned, into: plain)
    }
    #expect("\(try #require(error))".contains("finetuned.pt: fineTuned network: "))
    #expect(throws: (any Error).self) {
      try ReferenceCheckpoint(path: Repository.golden("DiffusionPolicies/checkpoints.safetensors"))
    }
  }

  private func expectProblem(
    _ problem: ReferenceCheckpointError.Problem,
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Any
  ) {
    let error = #expect(throws: ReferenceCheckpointError.self, sourceLocation: sourceLocation) {
      _ = try body()
    }
    #expect(error?.problem == problem, sourceLocation: sourceLocation)
  }
}

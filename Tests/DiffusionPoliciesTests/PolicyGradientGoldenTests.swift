import Diffusion
import DiffusionPolicies
import Foundation
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// Networks, process and optimizer together against the reference's first updates; the losses are
/// written out here, as a second form of those that training uses.
@Suite struct PolicyGradientGoldenTests {
  private let goldens: GoldenTensors
  private var random = RandomStream(seed: 7)

  init() throws { goldens = try GoldenTensors("DiffusionPolicies/dppo-update.safetensors") }

  private mutating func denoiser() throws -> any ChunkDenoiser {
    var configuration = NetworkConfiguration()
    configuration.hiddenSizes = [16, 16, 16]
    configuration.timeEmbeddingSize = 8
    return try configuration.makeDenoiser(
      actionSize: 2, horizonSteps: 4, conditionSize: 10, random: &random)
  }

  private func load(_ module: any Module, _ group: String, _ role: String) throws {
    try module.parameters.load(try goldens.tensors(of: group, role: role))
  }

  /// (A - mean) / (std + 1e-8), with the standard deviation of a sample.
  private func normalized(_ values: [Float]) -> [Float] {
    let mean = values.reduce(0, +) / Float(values.count)
    let squares = values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +)
    let std = (squares / Float(values.count - 1)).squareRoot() + 1e-8
    return values.map { ($0 - mean) / std }
  }

  private func policyLoss(
    new: Tensor, old: Tensor, advantages: Tensor, clip: Float
  ) -> Tensor {
    let ratio = (new - old).exp()
    let unclipped = -advantages * ratio
    return Tensor.maximum(unclipped, -advantages * ratio.clamped(to: 1 - clip, 1 + clip)).mean()
  }

  private func expectGradients(
    _ gradients: Gradients, of module: any Module, _ variant: String, _ role: String
  ) throws {
    let expected = try goldens.tensors(of: variant, role: "gradient.\(role)")
    let trainable = module.parameters.filter(\.parameter.isTrainable)
    #expect(expected.count == trainable.count)
    var worst: Float = 0
    for (name, parameter) in trainable {
      let golden = try #require(expected[name])
      let error = expectClose(
        gradients[parameter.leaf], golden, relative: 1e-4, "\(variant) gradient of \(role).\(name)")
      worst = max(worst, error)
    }
    print("\(variant): greatest relative error of the gradients of \(role) \(worst)")
  }

  /// The first minibatch of a diffusion variant without value clipping.
  private mutating func checkDiffusion(
    _ group: String, _ name: String, _ process: DenoisingProcess, eta: LearnedEta? = nil,
    entropyWeight: Float = 0
  ) throws {
    let variant = "\(group)/\(name)"
    let (actor, critic) = (
      try denoiser(), Critic(conditionSize: 10, hiddenSizes: [16, 16, 16], random: &random)
    )
    try load(actor, group, "before.actor_ft")
    try load(critic, group, "before.critic")
    let chains = try goldens["\(group)/chains"]
    let stepCount = chains.shape[1] - 1
    let pairs = try goldens.integers("\(group)/minibatches").prefix(16)
    let batch = RecordedTransitions(
      stackedStates: chains, firstIndex: process.transitionCount - stepCount, transitions: pairs)
    let observations = try goldens["\(group)/observations"].gather(batch.sampleRows)
      .flattened(from: 1)
    let old = try goldens["\(group)/old-log-probabilities"]
      .reshaped(to: [-1, 4, 2]).gather(Array(pairs))
    let advantages = try goldens["\(group)/advantages"].gather(batch.sampleRows).elements
    let weighted = zip(normalized(advantages), batch.positions).map {
      $0 * powf(0.99, Float(stepCount - 1 - $1))
    }
    let returns = try goldens["\(group)/returns"].gather(batch.sampleRows)
    var parts: [Tensor] = []
    let (loss, gradients) = valueAndGradients {
      let new = process.logProbabilities(of: batch) {
        actor($0, timeSteps: $1, condition: observations)
      }
      let policy = policyLoss(
        new: new.meanOfExecutedLogProbabilities(actionSteps: 3),
        old: old.meanOfExecutedLogProbabilities(actionSteps: 3), advantages: Tensor(weighted),
        clip: 0.02)
      let value = (critic(observations) - returns).squared().mean() * 0.5
      parts = [policy.detached(), value.detached()]
      let entropy = eta.map { -$0.value.mean() } ?? Tensor(0)
      return policy + value * 0.5 + entropy * entropyWeight
    }
    for (part, value) in zip(["policy-loss", "value-loss"], parts) {
      expectClose(
        value, Tensor(try goldens["\(variant)/\(part)"].elements[0]), relative: 1e-4,
        absolute: 1e-6, "\(variant) \(part)")
    }
    expectClose(
      loss, Tensor(try goldens["\(variant)/loss"].elements[0]), relative: 1e-5, "\(variant) loss")
    try expectGradients(gradients, of: actor, variant, "actor_ft")
    try expectGradients(gradients, of: critic, variant, "critic")
    if let eta { try expectGradients(gradients, of: eta, variant, "eta") }
  }

  @Test mutating func ddpm() throws {
    let process = DenoisingProcess(
      sampler: DDPMSampler(.policyCosine(timeStepCount: 6), estimateLimit: 1),
      logProbabilityFloor: 0.1)
    try checkDiffusion("ddpm", "default", process)
    try checkDiffusion("ddpm-all-steps", "default", process)
  }

  @Test mutating func ddimWithLearnedEta() throws {
    let eta = LearnedEta(size: 2)
    try load(eta, "ddim", "before.eta")
    let process = DenoisingProcess(
      sampler: DDIMSampler(
        .policyCosine(timeStepCount: 20), count: 5, eta: .learned(eta), estimateLimit: 1,
        recomputesNoise: true),
      logProbabilityFloor: 0.1)
    try checkDiffusion("ddim", "learned-eta", process, eta: eta, entropyWeight: 0.1)
  }

  @Test mutating func gaussian() throws {
    var configuration = NetworkConfiguration()
    configuration.kind = .gaussian
    configuration.hiddenSizes = [16, 16, 16]
    configuration.stdKind = .learned
    configuration.maxStd = 0.2
    let (group, variant) = ("gaussian-learned", "gaussian-learned/default")
    let network = try configuration.makeDensityNetwork(
      GaussianMLP.self, actionSize: 2, horizonSteps: 4, conditionSize: 10, random: &random)
    try load(network, group, "before.actor_ft")
    let rows = Array(try goldens.integers("\(group)/minibatches").prefix(16))
    let observations = try goldens["\(group)/observations"].gather(rows).flattened(from: 1)
    let actions = try goldens["\(group)/actions"].gather(rows)
    // Averaged first and clamped then, the other way round than in the diffusion loss.
    let old = try goldens["\(group)/old-log-probabilities"].gather(rows).clamped(to: -5, 2)
    let advantages = normalized(try goldens["\(group)/advantages"].gather(rows).elements)
    let (_, gradients) = valueAndGradients {
      let distribution = network(observations)
      let new = LogProbabilityReduction.mean(distribution.logProbability(of: actions))
        .clamped(to: -5, 2)
      let policy = policyLoss(new: new, old: old, advantages: Tensor(advantages), clip: 0.05)
      let std = distribution.standardDeviation ?? Tensor(0)
      let entropy = std.log().mean() + 0.5 * (1 + logf(2 * .pi))
      return policy - entropy * 0.02
    }
    try expectGradients(gradients, of: network, variant, "actor_ft")
  }

  @Test mutating func pretraining() throws {
    let network = try denoiser()
    try load(network, "pretraining", "before.network")
    let schedule = NoiseSchedule.policyCosine(timeStepCount: 6)
    let optimizer = Adam.withDecoupledDecay(
      network.parameters, learningRate: 1e-3, weightDecay: 1e-2)
    var average = ExponentialMovingAverage(of: network.parameters, decay: 0.9)
    let (actions, noises) = (try goldens["pretraining/actions"], try goldens["pretraining/noise"])
    let observations = try goldens["pretraining/observations"]
    let times = try goldens.integers("pretraining/times")
    let expected = try goldens["pretraining/loss"].elements
    for step in 0..<20 {
      let timeSteps = Broadcast.perRow(Array(times[(16 * step)..<(16 * step + 16)]))
      let noisy = schedule.noisySample(actions[step], noise: noises[step], at: timeSteps)
      let (loss, gradients) = valueAndGradients {
        let prediction = network(
          noisy, timeSteps: timeSteps.map { Float($0) },
          condition: observations[step].flattened(from: 1))
        return (prediction - noises[step]).squared().mean()
      }
      expectClose(loss, Tensor(expected[step]), "loss of step \(step)")
      if step == 0 {
        try expectGradients(gradients, of: network, "pretraining", "network")
      }
      optimizer.step(gradients)
      average.update(from: network.parameters)
    }
    for (role, values) in [
      ("after.network", network.parameters.values), ("average.network", average.values),
    ] {
      let golden = try goldens.tensors(of: "pretraining", role: role)
      #expect(golden.count == values.count)
      for (name, value) in golden {
        expectClose(values[name], value, relative: 1e-4, "\(role).\(name)")
      }
    }
  }
}

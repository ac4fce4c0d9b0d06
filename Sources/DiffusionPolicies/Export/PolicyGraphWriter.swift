import Diffusion
import NeuralNetworks
import ONNX

/// Puts together the graphs of policies: inputs, what is done with them, outputs.
struct PolicyGraphWriter {
  /// A graph, and what its metadata says of it.
  struct Parts {
    var graph: ONNXGraph
    var summary: String
    /// The runs of the network.
    var denoisingSteps = 1
    /// More of the metadata.
    var texts: [String: String] = [:]
  }

  let checkpoint: PolicyCheckpoint
  private let configuration: PolicyConfiguration
  private let observations: Int
  private let actions: Int

  init(_ checkpoint: PolicyCheckpoint) {
    self.checkpoint = checkpoint
    configuration = checkpoint.configuration
    observations = checkpoint.observationSize
    actions = checkpoint.actionSize
  }

  /// `[B, Tp, Da]`
  private var chunkShape: [Int?] { [nil, configuration.horizonSteps, actions] }

  /// What the weights of the network that acts are called in the checkpoint.
  private var prefix: String {
    checkpoint.weights.under("network").isEmpty ? "actor_ft" : "network"
  }

  /// A Gaussian policy, which acts by its mean.
  func actions(_ policy: GaussianPolicy) throws -> Parts {
    var graph = ONNXGraph()
    graph.name(policy.network.parameters, under: prefix)
    let condition = try encoded(observation(in: &graph), policy.network.encoder, in: &graph)
    let network = try writable(policy.network.network)
    let mean = graph.clip(network.mean(condition, in: &graph), to: policy.actionLimit)
    addOutputs(mean, in: &graph)
    return Parts(graph: graph, summary: "A Gaussian policy: observations to actions.")
  }

  /// A diffusion policy: the chain as it is walked when the policy is evaluated, unrolled.
  func actions(_ policy: DiffusionPolicy) throws -> Parts {
    let process = policy.evaluating
    let count = process.transitionCount
    let limit = PolicyExport.denoisingStepLimit
    guard count <= limit else { throw PolicyExportError.tooManySteps(count, limit: limit) }
    guard let sampler = process.sampler as? any ONNXSampler else {
      throw PolicyExportError.unwritable("the sampler \(type(of: process.sampler))")
    }
    let stds = (0..<count).map { process.samplingStd(at: $0) }
    var graph = named(policy)
    let observation = observation(in: &graph)
    let noise = noiseInput(count: 1 + stds.count { $0 != nil }, in: &graph)
    let networks = try stages(policy).map { network in
      (
        run: try writable(network.denoiser),
        condition: try encoded(observation, network.encoder, in: &graph)
      )
    }
    var drawn = 0
    func draw(in graph: inout ONNXGraph) -> ONNXValue {
      drawn += 1
      return graph.element(noise, drawn - 1, along: 1)
    }
    var x = draw(in: &graph)  // [B, Tp, Da]
    for index in 0..<count {
      let network = networks[index < policy.firstTransition ? 0 : networks.count - 1]
      x = try graph.scoped("step_\(index)") { graph in
        let prediction = network.run(
          x, time: .constant(sampler.timeSteps[index]), condition: network.condition, in: &graph)
        var next = try sampler.mean(from: x, prediction: prediction, at: index, in: &graph)
        if let std = stds[index] {
          let unit = draw(in: &graph)
          let limited = process.noiseLimit.map { graph.clip(unit, to: $0) } ?? unit
          next = graph.add(next, graph.multiply(limited, by: std))
        }
        return next
      }
    }
    if let limit = process.finalLimit { x = graph.clip(x, to: limit) }
    addOutputs(x, in: &graph)
    return Parts(
      graph: graph, summary: "A diffusion policy: observations and noise to actions.",
      denoisingSteps: count,
      texts: ["noise.count": "\(drawn)", "noise.use": Self.noiseUse(count: drawn)])
  }

  /// One run of a diffusion policy's network.
  func denoisingStep(_ policy: DiffusionPolicy) throws -> Parts {
    guard let sampler = policy.evaluating.sampler as? any ONNXSampler else {
      throw PolicyExportError.unwritable("the sampler \(type(of: policy.evaluating.sampler))")
    }
    let encoder = policy.fineTuned.encoder
    guard encoder.parameters.count == 0 else {
      throw PolicyExportError.learnedEncoder(configuration.encoder.kind)
    }
    var graph = named(policy)
    let chunk = graph.input(
      "chunk", shape: chunkShape, description: "the noisy action chunk, normalized")
    let timeStep = graph.input(
      "time_step", shape: [], element: .int,
      description:
        "the diffusion time step, from 0 (least noise) to \(configuration.denoising.stepCount - 1)")
    let condition = graph.input(
      "condition", shape: [nil, encoder.encodingSize],
      description: "\(history), normalized as the metadata's 'normalization' tells, flattened")
    let time = ONNXTime.input(graph.floats(timeStep))
    let networks = try stages(policy).map { try writable($0.denoiser) }
    let prediction: ONNXValue
    if networks.count > 1 {
      let last = Int(sampler.timeSteps[policy.firstTransition])
      let isFineTuned = graph.isAtMost(timeStep, graph.constant(ints: [last], shape: []))
      prediction = graph.choose(isFineTuned) { graph in
        networks[1](chunk, time: time, condition: condition, in: &graph)
      } else: { graph in
        networks[0](chunk, time: time, condition: condition, in: &graph)
      }
    } else {
      prediction = networks[0](chunk, time: time, condition: condition, in: &graph)
    }
    graph.output(prediction, "prediction", description: "the noise in the chunk")
    return Parts(
      graph: graph, summary: "One denoising step of a diffusion policy: the noise in a chunk.",
      texts: try ExportedSchedule(policy, sampler).texts)
  }
}

// MARK: - Parts of graphs

extension PolicyGraphWriter {
  /// The networks along the chain: the frozen one and the fine-tuned one, or one for all steps.
  private func stages(_ policy: DiffusionPolicy) -> [ObservingDenoiser] {
    let count = policy.evaluating.transitionCount
    return (1..<count).contains(policy.transitionCount)
      ? [policy.frozen, policy.fineTuned] : [policy.fineTuned]
  }

  private func named(_ policy: DiffusionPolicy) -> ONNXGraph {
    var graph = ONNXGraph()
    graph.name(policy.fineTuned.parameters, under: prefix)
    if policy.transitionCount > 0 { graph.name(policy.frozen.parameters, under: "actor") }
    return graph
  }

  /// What a decision sees, in words.
  private var history: String {
    let steps = configuration.observationSteps
    return steps == 1 ? "the latest observation" : "the latest \(steps) observations, oldest first"
  }

  /// The observations, normalized.
  private func observation(in graph: inout ONNXGraph) -> ONNXValue {
    let steps = configuration.observationSteps
    let start = "; at an episode's start the first one stands for those before it"
    let raw = graph.input(
      "observation", shape: [nil, steps, observations],
      description: "\(history), in the environment's units" + (steps == 1 ? "" : start))
    return checkpoint.normalization.observations.normalized(raw, in: &graph)
  }

  private func noiseInput(count: Int, in graph: inout ONNXGraph) -> ONNXValue {
    graph.input(
      "noise", shape: [nil, count, configuration.horizonSteps, actions],
      description: "standard normal draws. \(Self.noiseUse(count: count))")
  }

  private static func noiseUse(count: Int) -> String {
    count == 1
      ? "The chain's start; its steps draw none."
      : "The first is the chain's start, the others belong to the steps that draw noise, in order."
  }

  private func addOutputs(_ chunk: ONNXValue, in graph: inout ONNXGraph) {
    let raw = checkpoint.normalization.actions.denormalized(chunk, in: &graph)
    let executed = graph.slice(raw, 0..<configuration.actionSteps, along: 1)
    graph.output(
      executed, "actions",
      description: "the actions to execute before the next decision, in the environment's units")
    graph.output(
      raw, "chunk", description: "all actions that are predicted, in the environment's units")
  }

  private func encoded(
    _ states: ONNXValue, _ encoder: any ObservationEncoder, in graph: inout ONNXGraph
  ) throws(PolicyExportError) -> ONNXValue {
    guard let encoder = encoder as? any ONNXObservationEncoder else {
      throw .unwritable("the encoder '\(configuration.encoder.kind)'")
    }
    return encoder(states, in: &graph)
  }

  private func writable(
    _ network: any ChunkDenoiser
  ) throws(PolicyExportError) -> any ONNXChunkDenoiser {
    guard let network = network as? any ONNXChunkDenoiser else {
      throw .unwritable("the network '\(configuration.network.kind.rawValue)'")
    }
    return network
  }

  private func writable(
    _ network: any DensityNetwork
  ) throws(PolicyExportError) -> any ONNXGaussianNetwork {
    guard let network = network as? any ONNXGaussianNetwork else {
      throw .unwritable("the network '\(configuration.network.kind.rawValue)'")
    }
    return network
  }
}

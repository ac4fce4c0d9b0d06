import Diffusion
import DiffusionPolicies
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// Every network against the module of the DPPO reference: forward, bound and all gradients.
@Suite struct NetworkGoldenTests {
  private let goldens: GoldenTensors
  private var random = RandomStream(seed: 3)

  init() throws {
    goldens = try GoldenTensors(
      "DiffusionPolicies/networks.safetensors", "DiffusionPolicies/gmm.safetensors")
  }

  /// Compares the outputs and all gradients of a network whose golden weights are loaded.
  private func check(
    _ name: String, _ module: any Module, inputs: [String], outputs: [String],
    relative: Float = 1e-5, _ forward: ([Tensor]) -> [Tensor]
  ) throws {
    let parameters = module.parameters
    try parameters.load(goldens.tensors(of: name, role: "parameter"))
    let tracked = try inputs.map { try goldens["\(name)/input.\($0)"].tracked() }
    let upstreams = try outputs.map { output in
      try goldens["\(name)/\("upstream" + output.dropFirst("output".count))"]
    }
    var values: [Tensor] = []
    let (_, gradients) = valueAndGradients {
      values = forward(tracked)
      return zip(values, upstreams).map { ($0 * $1).sum() }.reduce(Tensor(0), +)
    }
    var worst: Float = 0
    for (output, (value, upstream)) in zip(outputs, zip(values, upstreams)) {
      let error = expectClose(
        value.detached().broadcast(to: upstream.shape), try goldens["\(name)/\(output)"],
        relative: relative, "\(name) \(output)")
      worst = max(worst, error)
    }
    var expected = try goldens.tensors(of: name, role: "gradient")
    var found = zip(inputs, tracked).map { ($0, gradients[$1]) }
    found += parameters.filter(\.parameter.isTrainable).map {
      ($0.name, gradients[$0.parameter.leaf])
    }
    for (key, gradient) in found {
      let removed = expected.removeValue(forKey: key)
      let golden = try #require(removed, "\(name) gradient of \(key)")
      let error = expectClose(
        gradient, golden, relative: relative, absolute: 1e-6, "\(name) gradient of \(key)")
      worst = max(worst, error)
    }
    #expect(expected.isEmpty, "\(name): gradients of \(expected.keys.sorted()) are not compared")
    print("\(name): greatest relative error \(worst)")
  }

  /// Also compares the network bound to its condition, and in shards.
  private func checkDenoiser(
    _ name: String, _ network: any ChunkDenoiser, relative: Float = 1e-5
  ) throws {
    let times = Broadcast.perRow(try goldens["\(name)/input.times"].elements)
    try check(
      name, network, inputs: ["chunks", "observations"], outputs: ["output"], relative: relative
    ) { [network($0[0], timeSteps: times, condition: $0[1].flattened(from: 1))] }
    let chunks = try goldens["\(name)/input.chunks"]
    let condition = try goldens["\(name)/input.observations"].flattened(from: 1)
    let (output, shared) = (try goldens["\(name)/output"], try goldens["\(name)/shared-output"])
    for known in [[], [19, 7, 0], [5]] as [[Float]] {
      let bound = network.bound(to: condition, times: known)
      expectClose(bound(chunks, times), output, relative: relative, "\(name) bound, mixed times")
      expectClose(
        bound(chunks, .shared(7)), shared, relative: relative, "\(name) bound to \(known)")
    }
    expectClose(
      network(chunks, timeSteps: .shared(7), condition: condition), shared,
      relative: relative, "\(name), one time")
    try checkShards(name, network, relative: relative)
  }

  /// The gradients of a batch cut into shards.
  private func checkShards(
    _ name: String, _ network: any ChunkDenoiser, relative: Float
  ) throws {
    let times = try goldens["\(name)/input.times"].elements
    let chunks = try goldens["\(name)/input.chunks"]
    let condition = try goldens["\(name)/input.observations"].flattened(from: 1)
    let upstream = try goldens["\(name)/upstream"]
    let step = shardedValueAndGradients(count: times.count, shardSize: 2) { range in
      let output = network(
        chunks.slice(range), timeSteps: .perRow(Array(times[range])),
        condition: condition.slice(range))
      return ShardResult(loss: (output * upstream.slice(range)).sum())
    }
    for (key, parameter) in network.parameters {
      expectClose(
        step.gradients[parameter.leaf], try goldens["\(name)/gradient.\(key)"],
        relative: relative, absolute: 1e-6, "\(name) gradient of \(key) in shards")
    }
  }

  @Test mutating func diffusionMLP() throws {
    func network(_ change: (inout NetworkConfiguration) -> Void) throws -> any ChunkDenoiser {
      var configuration = NetworkConfiguration()
      change(&configuration)
      return try configuration.makeDenoiser(
        actionSize: 2, horizonSteps: 4, conditionSize: 6,
        random: &random)
    }
    try checkDenoiser("mlp-residual", network { $0.hiddenSizes = [8, 8, 8] })
    try checkDenoiser(
      "mlp-plain",
      network {
        $0.hiddenSizes = [20, 12]
        $0.activation = .mish
        $0.isResidual = false
        $0.timeEmbeddingSize = 8
      })
    try checkDenoiser(
      "mlp-encoded",
      network {
        $0.hiddenSizes = [8, 8, 8]
        $0.usesLayerNorm = true
        $0.observationSizes = [12, 6]
      })
    try checkDenoiser(
      "mlp-norm",
      network {
        $0.hiddenSizes = [16, 12]
        $0.activation = .mish
        $0.isResidual = false
        $0.usesLayerNorm = true
        $0.timeEmbeddingSize = 8
        $0.observationSizes = [10, 7]
      })
  }

  @Test mutating func unet() throws {
    func network(
      horizonSteps: Int = 4, _ change: (inout NetworkConfiguration) -> Void
    ) throws -> any ChunkDenoiser {
      var configuration = NetworkConfiguration()
      configuration.kind = .unet
      configuration.activation = .mish
      configuration.width = 4
      configuration.groupCount = 2
      configuration.multipliers = [1, 2]
      configuration.timeEmbeddingSize = 8
      change(&configuration)
      return try configuration.makeDenoiser(
        actionSize: 2, horizonSteps: horizonSteps, conditionSize: 6,
        random: &random)
    }
    try checkDenoiser(
      "unet-usual",
      network(horizonSteps: 8) {
        $0.multipliers = [1, 1, 1]
        $0.groupNormEpsilon = 1e-4
      }, relative: 1e-4)
    try checkDenoiser(
      "unet-two-levels",
      network(horizonSteps: 8) {
        $0.multipliers = [1, 1]
        $0.usesSmallConditionEncoder = true
      }, relative: 1e-4)
    try checkDenoiser(
      "unet-encoded",
      network {
        $0.kernelSize = 3
        $0.scalesFeatures = false
        $0.observationSizes = [12, 6]
      }, relative: 1e-4)
    try checkDenoiser(
      "unet-bare",
      network(horizonSteps: 3) {
        $0.width = 6
        $0.multipliers = [1]
        $0.kernelSize = 3
        $0.groupCount = 0
        $0.scalesFeatures = false
        $0.activation = .relu
      }, relative: 1e-4)
  }

  @Test mutating func gaussianMLP() throws {
    func check(
      _ name: String, outputs: [String] = ["output.mean", "output.deviation"],
      _ change: (inout NetworkConfiguration) -> Void
    ) throws {
      var configuration = NetworkConfiguration()
      configuration.kind = .gaussian
      change(&configuration)
      let network = try configuration.makeDensityNetwork(
        GaussianMLP.self, actionSize: 2, horizonSteps: 4, conditionSize: 6,
        random: &random)
      try self.check(name, network, inputs: ["observations"], outputs: outputs) { inputs in
        let distribution = network(inputs[0].flattened(from: 1))
        return [distribution.mean, distribution.standardDeviation ?? Tensor(0)]
      }
    }
    try check("gaussian-fixed", outputs: ["output.mean"]) { $0.hiddenSizes = [16, 16, 16] }
    try check("gaussian-learned") {
      $0.hiddenSizes = [16, 12]
      $0.activation = .mish
      $0.isResidual = false
      $0.stdKind = .learned
      $0.maxStd = 0.2
    }
    try check("gaussian-predicted") {
      $0.hiddenSizes = [16, 16]
      $0.usesLayerNorm = true
      $0.stdKind = .predicted
      $0.minStd = 0.0067
      $0.maxStd = 7.3891
      $0.squashesMean = false
    }
    try check("gaussian-predicted-plain") {
      $0.hiddenSizes = [16, 12]
      $0.activation = .tanh
      $0.isResidual = false
      $0.usesLayerNorm = true
      $0.stdKind = .predicted
    }
    var fixed = NetworkConfiguration()
    fixed.kind = .gaussian
    let network = try fixed.makeDensityNetwork(
      GaussianMLP.self, actionSize: 2, horizonSteps: 4, conditionSize: 6, random: &random)
    let std = network(.zeros([5, 6])).standardDeviation
    expectClose(
      std?.broadcast(to: [5, 4, 2]), try goldens["gaussian-fixed/fixed-deviation"],
      "fixed standard deviation")
  }

  @Test mutating func gaussianMixtureMLP() throws {
    func check(
      _ name: String, outputs: [String] = ["output.mean", "output.deviation", "output.logits"],
      _ change: (inout NetworkConfiguration) -> Void
    ) throws {
      let network = try MixtureGoldens.network(random: &random, change)
      try self.check(name, network, inputs: ["observations"], outputs: outputs) { inputs in
        let mixture = network(inputs[0].flattened(from: 1))
        return [mixture.means] + (outputs.count == 3 ? [mixture.standardDeviations] : [])
          + [mixture.logits]
      }
    }
    try check("gmm-fixed", outputs: ["output.mean", "output.logits"], MixtureGoldens.fixed)
    try check("gmm-learned", MixtureGoldens.learned)
    try check("gmm-predicted", MixtureGoldens.predicted)
    let network = try MixtureGoldens.network(random: &random, MixtureGoldens.fixed)
    expectClose(
      network(.zeros([5, 10])).standardDeviations.broadcast(to: [5, 3, 4, 2]),
      try goldens["gmm-fixed/fixed-deviation"], "fixed standard deviation")
  }

  @Test mutating func critic() throws {
    func check(_ name: String, _ change: (inout CriticConfiguration) -> Void) throws {
      var configuration = CriticConfiguration()
      change(&configuration)
      let critic = try configuration.makeCritic(
        conditionSize: 6, random: &random)
      try self.check(name, critic, inputs: ["observations"], outputs: ["output"]) {
        [critic($0[0].flattened(from: 1))]
      }
    }
    try check("critic") { $0.hiddenSizes = [16, 16, 16] }
    try check("critic-plain") {
      $0.hiddenSizes = [16, 12]
      $0.activation = .relu
      $0.isResidual = false
      $0.usesLayerNorm = true
    }
  }
}

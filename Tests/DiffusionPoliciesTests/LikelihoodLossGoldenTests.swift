import Diffusion
import Environments
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Twenty batches of cloning by likelihood, against the reference's.
@Suite struct LikelihoodLossGoldenTests {
  private let goldens: GoldenTensors

  init() throws {
    goldens = try GoldenTensors(
      "DiffusionPolicies/dppo-update.safetensors", "DiffusionPolicies/gmm.safetensors")
  }

  private func policy(_ kind: NetworkConfiguration.Kind) -> PolicyConfiguration {
    var policy = PolicyConfiguration()
    policy.observationSteps = 2
    policy.network.kind = kind
    policy.network.modes = 3
    policy.network.hiddenSizes = [16, 16, 16]
    policy.network.stdKind = .learned
    return policy
  }

  /// The reference's bonus is of the entropy with its constant, ours of ln(standard deviation).
  @Test(arguments: [
    (NetworkConfiguration.Kind.gaussian, "gaussian-pretraining", 0.01),
    (.gmm, "gmm-pretraining", 0),
  ])
  func twentyBatchesMatchReference(
    _ kind: NetworkConfiguration.Kind, _ name: String, _ entropyCoefficient: Double
  ) throws {
    var random = RandomStream(seed: 1)
    let (loss, parameters) = try policy(kind).makeCloning(
      ObservationLayout(stepCount: 2, stateSize: 5), actionSize: 2,
      entropyCoefficient: entropyCoefficient, encoders: .standard, random: &random)
    try parameters.load(try goldens.tensors(of: name, role: "before.network"))
    let optimizer = Adam.withDecoupledDecay(parameters, learningRate: 1e-3, weightDecay: 1e-2)
    var average = ExponentialMovingAverage(of: parameters, decay: 0.9)
    let (actions, observations) = (
      try goldens["\(name)/actions"], try goldens["\(name)/observations"]
    )
    let expected = try goldens["\(name)/loss"].elements
    let constant = Float(entropyCoefficient) * 1.418_938_5
    for step in 0..<20 {
      let batch = ChunkBatch(
        observations: Observations(observations[step]), chunks: actions[step])
      // In two parts, as a batch is trained on.
      let (value, gradients) = valueAndGradients {
        loss(batch, rows: 0..<6, draws: RandomStream(seed: 2))
          + loss(batch, rows: 6..<16, draws: RandomStream(seed: 2))
      }
      expectClose(
        value - constant, Tensor(expected[step]), relative: 1e-4, "\(name) loss of step \(step)")
      if step == 0 {
        let golden = try goldens.tensors(of: name, role: "gradient.network")
        #expect(golden.count == parameters.filter(\.parameter.isTrainable).count)
        for (key, parameter) in parameters where parameter.isTrainable {
          expectClose(
            gradients[parameter.leaf], try #require(golden[key]), relative: 1e-4,
            "\(name) gradient of \(key)")
        }
      }
      optimizer.step(gradients)
      average.update(from: parameters)
    }
    for (role, values) in [
      ("after.network", parameters.values), ("average.network", average.values),
    ] {
      let golden = try goldens.tensors(of: name, role: role)
      #expect(golden.count == values.count)
      for (key, value) in golden {
        expectClose(values[key], value, relative: 1e-4, "\(name) \(role).\(key)")
      }
    }
  }
}

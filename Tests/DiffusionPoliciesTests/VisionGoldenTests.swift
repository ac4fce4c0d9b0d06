import Diffusion
import Environments
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// DPPO's networks on images against the modules of the reference: outputs and the gradients of all
/// weights.
@Suite struct VisionGoldenTests {
  private let goldens: GoldenTensors

  init() throws { goldens = try GoldenTensors("DiffusionPolicies/vision.safetensors") }

  /// A network of the goldens; see `vision.py`.
  struct Case: CustomTestStringConvertible, Sendable {
    var name: String
    var height = 24
    var width = 24
    var steps = 1
    var cameras = 1
    var stateSize = 3
    var hiddenSize = 8
    var configure: @Sendable (inout ViTConfiguration) -> Void = { _ in }

    var testDescription: String { name }

    var layout: ObservationLayout {
      ObservationLayout(
        stepCount: steps, stateSize: stateSize,
        cameras: (0..<cameras).map {
          Camera(name: "camera \($0)", width: width, height: height)
        })
    }

    func encoder() throws -> any ObservationEncoder {
      var configuration = EncoderConfiguration(kind: "vit")
      configuration.vit.width = 8
      configuration.vit.headCount = 2
      configuration.vit.featureCount = 6
      configure(&configuration.vit)
      var random = RandomStream(seed: 1)
      return try ObservationEncoderRegistry.standard.make(configuration, layout, random: &random)
    }

    /// As the script draws them.
    func observations(_ random: inout TorchRandom) -> Observations {
      let images = layout.cameras.map { camera in
        let bytes = GoldenNetworks.bytes([3, steps, height, width, 3], &random)
        return (camera.name, CameraImages(camera, stepCount: steps, bytes: bytes))
      }
      return Observations(
        random.normal([3, steps, stateSize]), images: Dictionary(uniqueKeysWithValues: images))
    }
  }

  static let policies = [
    Case(name: "vit"),
    Case(name: "vit-history", steps: 3) {
      $0.imageSteps = 2
      $0.depth = 2
      $0.usesPatchNorm = true
    },
    Case(name: "vit-cameras", width: 32, steps: 2, cameras: 2) { $0.imageSteps = 2 },
    Case(name: "vit-embed1", height: 16) { $0.patchEmbedding = .embed1 },
    Case(name: "vit-96", height: 96, width: 96, stateSize: 9, hiddenSize: 32) {
      $0 = ViTConfiguration()
    },
  ]

  @Test(arguments: policies) func policyMatchesReference(_ golden: Case) throws {
    var configuration = NetworkConfiguration()
    configuration.hiddenSizes = Array(repeating: golden.hiddenSize, count: 3)
    configuration.timeEmbeddingSize = 8
    let encoder = try golden.encoder()
    var random = RandomStream(seed: 2)
    let network = ObservingDenoiser(
      encoder,
      try configuration.makeDenoiser(
        actionSize: 2, horizonSteps: 4, conditionSize: encoder.encodingSize, random: &random))
    var inputs = GoldenNetworks.inputs
    let observations = golden.observations(&inputs)
    let chunks = inputs.normal([3, 4, 2])
    let times: [Float] = [3, 19, 7]
    try check(golden.name, network, upstream: inputs.normal([3, 4, 2])) {
      network(chunks, timeSteps: .perRow(times), observations: observations)
    }
    // Bound, as it acts: the images are read once for all times.
    let bound = network.bound(to: observations, times: times)
    expectClose(
      bound(chunks, .perRow(times)), try goldens["\(golden.name)/output"], "\(golden.name) bound")
  }

  /// A U-Net gets an image's features as it gets states.
  @Test func unetMatchesReference() throws {
    var configuration = NetworkConfiguration()
    configuration.kind = .unet
    configuration.activation = .mish
    configuration.width = 4
    configuration.multipliers = [1, 2]
    configuration.kernelSize = 3
    configuration.groupCount = 2
    configuration.timeEmbeddingSize = 8
    let golden = Case(name: "unet")
    let encoder = try golden.encoder()
    var random = RandomStream(seed: 2)
    let network = ObservingDenoiser(
      encoder,
      try configuration.makeDenoiser(
        actionSize: 2, horizonSteps: 4, conditionSize: encoder.encodingSize, random: &random))
    var inputs = GoldenNetworks.inputs
    let observations = golden.observations(&inputs)
    let chunks = inputs.normal([3, 4, 2])
    try check("unet", network, upstream: inputs.normal([3, 4, 2]), relative: 1e-4) {
      network(chunks, timeSteps: .perRow([3, 19, 7]), observations: observations)
    }
  }

  @Test func gaussianMatchesReference() throws {
    var configuration = NetworkConfiguration()
    configuration.kind = .gaussian
    configuration.hiddenSizes = [8, 8, 8]
    configuration.stdKind = .learned
    let golden = Case(name: "gaussian")
    let encoder = try golden.encoder()
    var random = RandomStream(seed: 2)
    let network = ObservingDensityNetwork(
      encoder,
      try configuration.makeDensityNetwork(
        GaussianMLP.self, actionSize: 2, horizonSteps: 4, conditionSize: encoder.encodingSize,
        random: &random))
    var inputs = GoldenNetworks.inputs
    let observations = golden.observations(&inputs)
    try check("gaussian", network, upstream: inputs.normal([3, 4, 2]), relative: 2e-5) {
      let distribution = network(observations)
      let std = distribution.standardDeviation ?? Tensor(0)
      return distribution.mean + std.log()
    }
  }

  static let critics = [
    Case(name: "critic"), Case(name: "critic-cameras", cameras: 2),
  ]

  @Test(arguments: critics) func criticMatchesReference(_ golden: Case) throws {
    let encoder = try golden.encoder()
    var random = RandomStream(seed: 2)
    let critic = ObservingCritic(
      encoder,
      Critic(conditionSize: encoder.encodingSize, hiddenSizes: [8, 8, 8], random: &random))
    var inputs = GoldenNetworks.inputs
    let observations = golden.observations(&inputs)
    try check(golden.name, critic, upstream: inputs.normal([3])) { critic(observations) }
  }

  /// Compares the output and all gradients, of a large network every 997th element.
  private func check(
    _ name: String, _ module: any Module, upstream: Tensor, relative: Float = 1e-5,
    _ forward: () -> Tensor
  ) throws {
    func referenceName(_ name: String) -> String {
      let prefix = "encoder."
      return name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
    }
    GoldenNetworks.drawWeights(module, scriptName: referenceName)
    var output = Tensor(0)
    let (_, gradients) = valueAndGradients {
      output = forward()
      return (output * upstream).sum()
    }
    expectClose(
      output.detached(), try goldens["\(name)/output"], relative: relative, "\(name) output")
    var left = try goldens.tensors(of: name, role: "gradient")
    for (parameter, value) in module.parameters where value.isTrainable {
      let key = referenceName(parameter)
      let gradient = try #require(gradients[value.leaf], "\(name) gradient of \(key)")
      if let golden = left.removeValue(forKey: key) {
        expectClose(
          gradient, golden, relative: relative, absolute: 1e-6, "\(name) gradient of \(key)")
      } else {
        let golden = left.removeValue(forKey: "\(key).sample")
        let sample = stride(from: 0, to: gradient.count, by: 997).map { gradient.elements[$0] }
        expectClose(
          Tensor(sample), try #require(golden, "\(name) gradient of \(key)"), absolute: 1e-6,
          "\(name) gradient of \(key)")
      }
    }
    #expect(left.isEmpty, "\(name): gradients of \(left.keys.sorted()) are not compared")
  }

  /// The reference interpolates at whole pixels: the same as a window with repeated edges.
  @Test func shiftsAreTheReferences() throws {
    var inputs = GoldenNetworks.inputs
    let camera = Camera(name: "camera", width: 12, height: 12)
    let bytes = GoldenNetworks.bytes([8, 12, 12, 3], &inputs)
    let draws = try goldens.integers("shift/draws")
    var places: [(row: Int, column: Int)] = []
    for index in 0..<8 {
      let (column, row) = (draws[2 * index], draws[2 * index + 1])
      places.append((row: row - 4, column: column - 4))
    }
    let shifted = CameraImages(camera, stepCount: 1, bytes: bytes).windows(camera, at: places)
    let expected = try goldens.integers("shift/images")
    #expect(shifted.bytes.map { Int($0) } == expected)
    #expect(Set(draws).count > 4)
  }
}

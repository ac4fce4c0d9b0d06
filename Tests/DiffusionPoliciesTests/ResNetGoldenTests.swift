import Environments
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// The encoder of images of Diffusion Policy and LeRobot against LeRobot's class.
@Suite struct ResNetGoldenTests {
  private let goldens: GoldenTensors

  init() throws { goldens = try GoldenTensors("DiffusionPolicies/resnet.safetensors") }

  /// A network of the goldens; see `resnet.py`.
  struct Case: CustomTestStringConvertible, Sendable {
    var name: String
    var height: Int
    var width: Int
    var cropSize = 0
    var keypointCount: Int
    var channels = 16
    var batch = 2
    var seed: UInt64 = 11
    var hasGradients = true

    var testDescription: String { name }
  }

  static let cases = [
    Case(name: "small", height: 48, width: 64, keypointCount: 5),
    Case(name: "one-place", height: 32, width: 32, keypointCount: 3),
    Case(name: "crop", height: 49, width: 57, cropSize: 40, keypointCount: 4),
    Case(
      name: "resnet18-84", height: 96, width: 96, cropSize: 84, keypointCount: 32, channels: 64,
      batch: 1, hasGradients: false),
    Case(
      name: "resnet18", height: 48, width: 48, cropSize: 40, keypointCount: 32, channels: 64,
      batch: 1, seed: 23),
  ]

  @Test(arguments: cases) func featuresMatchLeRobot(_ golden: Case) throws {
    let camera = Camera(name: "image", width: golden.width, height: golden.height)
    var configuration = EncoderConfiguration(kind: "resnet18")
    configuration.cropSize = golden.cropSize
    configuration.resnet18.width = golden.channels
    configuration.resnet18.keypointCount = golden.keypointCount
    configuration.resnet18.sharesWeights = true
    var random = RandomStream(seed: 1)
    let encoder = try ObservationEncoderRegistry.standard.make(
      configuration, ObservationLayout(stepCount: 1, stateSize: 1, cameras: [camera]),
      random: &random)
    GoldenNetworks.drawWeights(encoder)
    var inputs = TorchRandom(seed: golden.seed)
    let bytes = GoldenNetworks.bytes([golden.batch, golden.height, golden.width, 3], &inputs)
    let size = 2 * golden.keypointCount
    let upstream = inputs.normal([golden.batch, size])
    let observations = Observations(
      .zeros([golden.batch, 1, 1]),
      images: [
        "image": CameraImages(camera, stepCount: 1, bytes: bytes)
      ])
    var output = Tensor(0)
    let (_, gradients) = valueAndGradients {
      output = encoder(observations).slice(1..<1 + size, along: 1)
      return (output * upstream).sum()
    }
    expectClose(output.detached(), try goldens["\(golden.name)/output"], "\(golden.name) output")
    guard golden.hasGradients else { return }
    var left = try goldens.tensors(of: golden.name, role: "gradient")
    for (parameter, value) in encoder.parameters {
      let key = String(parameter.dropFirst("rgb_encoder.".count))
      let gradient = try #require(gradients[value.leaf], "\(golden.name) gradient of \(key)")
      let isWhole = left[key] != nil
      let removed = left.removeValue(forKey: isWhole ? key : "\(key).sample")
      let expected = try #require(removed, "\(golden.name) gradient of \(key)")
      let sample = stride(from: 0, to: gradient.count, by: 997).map { gradient.elements[$0] }
      expectClose(
        isWhole ? gradient : Tensor(sample), expected, absolute: 1e-6,
        "\(golden.name) gradient of \(key)")
    }
    #expect(left.isEmpty, "\(golden.name): gradients of \(left.keys.sorted()) are not compared")
  }

  /// Two cameras and two steps: of each step the state, then the cameras' features.
  @Test func stepsAndCamerasAreInLeRobotsOrder() throws {
    let cameras = ["left", "right"].map { Camera(name: $0, width: 32, height: 32) }
    var configuration = ResNetConfiguration()
    configuration.width = 16
    configuration.keypointCount = 2
    configuration.endsInReLU = false
    var random = RandomStream(seed: 4)
    let layout = ObservationLayout(stepCount: 2, stateSize: 3, cameras: cameras)
    let encoder = try ResNetEncoder(configuration, layout, random: &random)
    func images(_ index: Int) -> CameraImages {
      var draws = RandomStream(seed: UInt64(index))
      return CameraImages(
        cameras[index], stepCount: 2,
        bytes: (0..<2 * 32 * 32 * 3).map { _ in UInt8(draws.integer(below: 256)) })
    }
    let state = random.normal([1, 2, 3])
    let whole = Observations(state, images: ["left": images(0), "right": images(1)])
    let encoded = encoder(whole)
    #expect(encoded.shape == [1, 22] && encoder.encodingSize == 22)
    // Of one step alone, and of one camera by its own network.
    for step in 0..<2 {
      let frames = whole.images.mapValues {
        CameraImages($0.camera, stepCount: 1, frames: [$0.frames[step]])
      }
      let single = try ResNetEncoder(
        configuration, ObservationLayout(stepCount: 1, stateSize: 3, cameras: cameras),
        random: &random)
      try single.parameters.load(encoder.parameters.values)
      let part = single(Observations(state.slice(step..<step + 1, along: 1), images: frames))
      expectClose(encoded.slice(11 * step..<11 * (step + 1), along: 1), part, "step \(step)")
      expectClose(
        part.slice(0..<3, along: 1), state.slice(step..<step + 1, along: 1).flattened(from: 1))
      #expect(part.elements[3..<7] != part.elements[7..<11])
    }
    #expect(encoder.parameters["rgb_encoder.1.out.bias"] != nil)
  }
}

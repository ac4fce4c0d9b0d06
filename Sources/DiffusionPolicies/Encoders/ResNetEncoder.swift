import Configuration
import Environments
import NeuralNetworks
import Tensors

/// The encoder of images of Diffusion Policy and LeRobot: a ResNet18, points by a spatial softmax, a
/// linear layer; of every image, behind its step's state. Weights are named as in LeRobot.
public final class ResNetEncoder: ObservationEncoder {
  /// `To (Do + 2 K cameras)`
  public let encodingSize: Int
  private let networks: [ImageFeatures]
  private let cameras: [Camera]
  private let sharesWeights: Bool
  private let mean: Tensor
  private let scale: Tensor

  /// - Parameters:
  ///   - configuration: sizes.
  ///   - layout: the cameras, which must have images of one size, and the states.
  ///   - random: draws the first weights.
  /// - Throws: `ConfigurationError` if there are no cameras, images of several sizes, or of other
  ///   channels than the configuration normalizes.
  public init(
    _ configuration: ResNetConfiguration, _ layout: ObservationLayout, random: inout RandomStream
  ) throws {
    let shape = try layout.sharedImageShape(for: "resnet18")
    try ConfigurationError.require(
      configuration.mean.count == shape[2], "resnet18.mean", configuration.mean,
      "\(shape[2]) numbers, one for each channel of the images")
    cameras = layout.cameras
    sharesWeights = configuration.sharesWeights
    var networks: [ImageFeatures] = []
    for _ in 0..<(sharesWeights ? 1 : cameras.count) {
      networks.append(ImageFeatures(configuration, imageShape: shape, random: &random))
    }
    self.networks = networks
    mean = Tensor(configuration.mean.map(Float.init))
    scale = Tensor(configuration.std.map { Float(1 / $0) })
    encodingSize =
      layout.stepCount
      * (layout.stateSize + 2 * configuration.keypointCount * layout.cameras.count)
  }

  /// `[B, To (Do + 2 K cameras)]`: of each step the state, then the features of each camera.
  public func callAsFunction(_ observations: Observations) -> Tensor {
    let state = observations.state
    let (batch, steps) = (state.shape[0], state.shape[1])
    let features = cameras.enumerated().map { index, camera in
      let images = (observations.images(of: camera).scaled() - mean) * scale
      let network = networks[sharesWeights ? 0 : index]
      return network(images.reshaped(to: [batch * steps] + camera.shape))
        .reshaped(to: [batch, steps, -1])
    }
    return Tensor.concatenated([state] + features, along: 2).flattened(from: 1)
  }

  /// `rgb_encoder.*`, or `rgb_encoder.<camera>.*` where each has its own.
  public func collect(into parameters: inout NamedParameters) {
    if sharesWeights {
      parameters.add("rgb_encoder", networks[0])
    } else {
      parameters.add("rgb_encoder", networks)
    }
  }
}

/// An image's features.
private final class ImageFeatures: Module {
  private let backbone: ResNet18
  private let pool: SpatialSoftmax
  private let output: Linear
  private let endsInReLU: Bool

  init(
    _ configuration: ResNetConfiguration, imageShape: [Int], random: inout some RandomSource
  ) {
    backbone = ResNet18(width: configuration.width, imageShape: imageShape, random: &random)
    pool = SpatialSoftmax(
      featureShape: backbone.featureShape, keypointCount: configuration.keypointCount,
      random: &random)
    let size = 2 * configuration.keypointCount
    output = Linear(inputSize: size, outputSize: size, random: &random)
    endsInReLU = configuration.endsInReLU
  }

  /// Images `[B, H, W, C]` to `[B, 2 K]`.
  func callAsFunction(_ images: Tensor) -> Tensor {
    output(pool(backbone(images)), activation: endsInReLU ? .relu : .identity)
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("backbone", backbone)
    parameters.add("pool", pool)
    parameters.add("out", output)
  }
}

import Configuration
import Environments
import NeuralNetworks
import Tensors

/// DPPO's encoder of images: one vision transformer for all cameras, a `SpatialEmbedding` for each,
/// and the states behind their features. Weights are named as in the reference.
public final class ViTEncoder: ObservationEncoder {
  /// The features of all cameras, then `To Do`.
  public let encodingSize: Int
  private let backbone: ViT
  private let embeddings: [SpatialEmbedding]
  private let cameras: [Camera]
  private let imageSteps: Int

  /// - Parameters:
  ///   - configuration: sizes.
  ///   - layout: the cameras, which must have images of one size, and the states.
  ///   - random: draws the first weights.
  /// - Throws: `ConfigurationError` if there are no cameras, images of several sizes or too small
  ///   ones, or fewer steps than images.
  public init(
    _ configuration: ViTConfiguration, _ layout: ObservationLayout, random: inout RandomStream
  ) throws {
    let shape = try layout.sharedImageShape(for: "vit")
    try ConfigurationError.require(
      configuration.imageSteps <= layout.stepCount, "vit.imageSteps", configuration.imageSteps,
      "1 to observationSteps, which is \(layout.stepCount)")
    cameras = layout.cameras
    imageSteps = configuration.imageSteps
    backbone = try ViT(
      configuration, imageShape: [shape[0], shape[1], imageSteps * shape[2]], random: &random)
    let stateSize = layout.stepCount * layout.stateSize
    let (backbone, count) = (backbone, configuration.featureCount)
    // Equal at the start, as in the reference.
    let first = random
    embeddings = layout.cameras.map { _ in
      random = first
      return SpatialEmbedding(
        patchCount: backbone.patchCount, width: configuration.width, stateSize: stateSize,
        featureCount: count, random: &random)
    }
    encodingSize = count * cameras.count + stateSize
  }

  /// `[B, S cameras + To Do]`
  public func callAsFunction(_ observations: Observations) -> Tensor {
    let state = observations.state.flattened(from: 1)
    let features = zip(cameras, embeddings).map { camera, embedding in
      embedding(
        backbone(observations.channels(of: camera, latest: imageSteps) + -0.5), state: state)
    }
    return .concatenated(features + [state], along: 1)
  }

  /// `backbone.vit.*`, and `compress.*` or, of several cameras, `compress1.*` and so on.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("backbone.vit", backbone)
    for (index, embedding) in embeddings.enumerated() {
      parameters.add(embeddings.count == 1 ? "compress" : "compress\(index + 1)", embedding)
    }
  }
}

extension ObservationLayout {
  /// The shape `[H, W, C]` that the images of all cameras have.
  ///
  /// - Throws: `ConfigurationError` if there are none, or others.
  func sharedImageShape(for kind: String) throws(ConfigurationError) -> [Int] {
    guard let first = cameras.first else {
      throw ConfigurationError.badValue(
        key: "kind", found: kind,
        expected: "flatten, as there are no images; demonstrations.images names those of a file")
    }
    guard let other = cameras.first(where: { $0.shape != first.shape }) else { return first.shape }
    throw ConfigurationError.badValue(
      key: "kind",
      found: "\(kind) for camera '\(first.name)' of \(first.sizeText) and "
        + "'\(other.name)' of \(other.sizeText)", expected: "cameras with images of one size")
  }
}

extension Camera {
  /// As in "96x96x3".
  var sizeText: String { "\(width)x\(height)x\(channelCount)" }
}

extension Observations {
  /// A camera's latest images as channels of one, oldest first: `[B, H, W, count C]`, from 0 to 1.
  func channels(of camera: Camera, latest count: Int) -> Tensor {
    let images = images(of: camera).scaled()  // [B, To, H, W, C]
    let steps = images.shape[1]
    let latest = images.slice(steps - count..<steps, along: 1)
    let shape = [images.shape[0], camera.height, camera.width, count * camera.channelCount]
    return (count == 1 ? latest : latest.transposed([0, 2, 3, 1, 4])).reshaped(to: shape)
  }

  /// A camera's images, which there must be.
  func images(of camera: Camera) -> CameraImages {
    guard let images = images[camera.name], images.camera == camera else {
      preconditionFailure(
        "observations of \(images.keys.sorted()) for an encoder of camera '\(camera.name)' of "
          + camera.sizeText)
    }
    return images
  }
}

import NeuralNetworks
import Tensors
import TextToImage

/// An image tower and a text tower that meet in one space (Radford et al., arXiv:2103.00020):
/// transformers' `CLIPModel`.
public final class CLIPModel: Module {
  /// The sizes.
  public let configuration: CLIPConfiguration
  /// The logarithm of the factor on cosines, `[]`.
  public let logitScale: Parameter
  private let textEncoder: CLIPTextEncoder
  private let imageEncoder: CLIPImageEncoder
  private let imageProjection: Linear

  /// A model with random weights.
  public init(_ configuration: CLIPConfiguration, random: inout some RandomSource) {
    self.configuration = configuration
    logitScale = Parameter(Tensor(configuration.initialLogitScale))
    textEncoder = CLIPTextEncoder(configuration.text, random: &random)
    imageEncoder = CLIPImageEncoder(configuration.vision, random: &random)
    imageProjection = Linear(
      inputSize: configuration.vision.hiddenSize, outputSize: configuration.projectionSize,
      hasBias: false, random: &random)
  }

  /// Normalized pictures `[B, H, W, 3]` in the common space, `[B, P]`; not of unit length.
  public func imageFeatures(_ images: Tensor) -> Tensor { imageProjection(imageEncoder(images)) }

  /// Texts of equal length in the common space, `[B, P]`; not of unit length.
  public func textFeatures(_ texts: [[Int]]) -> Tensor {
    guard let features = textEncoder(texts).projected else {
      preconditionFailure("the text tower of a CLIP model has a projection")
    }
    return features
  }

  /// transformers' names.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("logit_scale", logitScale)
    textEncoder.collect(into: &parameters)
    parameters.add("vision_model", imageEncoder)
    parameters.add("visual_projection", imageProjection)
  }
}

extension Tensor {
  /// Rows of unit length, for `[B, P]`.
  func normalizedRows() -> Tensor {
    // The constant keeps a row of zeros at zero.
    self / (squared().sum(along: -1, keepsDimension: true) + 1e-24).squareRoot()
  }
}

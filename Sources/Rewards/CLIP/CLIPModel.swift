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

  /// Normalized images `[B, H, W, 3]` in the common space, `[B, P]`; not of unit length.
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

/// CLIP's image tower (Radford et al., arXiv:2103.00020): a vision transformer with the weight
/// names of transformers' `CLIPVisionTransformer`.
public final class CLIPImageEncoder: Module {
  /// The sizes.
  public let configuration: CLIPVisionConfiguration
  private let embeddings: Embeddings
  private let firstNorm: LayerNorm
  private let encoder: CLIPTransformer
  private let lastNorm: LayerNorm

  private final class Embeddings: Module {
    let classEmbedding: Parameter
    let patches: Conv2d
    let positions: Embedding

    init(_ configuration: CLIPVisionConfiguration, random: inout some RandomSource) {
      let width = configuration.hiddenSize
      classEmbedding = Parameter(
        random.normal(
          [width], mean: 0, standardDeviation: Float(1 / Double(width).squareRoot())))
      patches = Conv2d(
        inputChannels: 3, outputChannels: width, kernelSize: configuration.patchSize,
        stride: configuration.patchSize, hasBias: false, random: &random)
      positions = Embedding(count: configuration.patchCount + 1, size: width, random: &random)
      positions.weight.value = positions.weight.value * 0.02
    }

    func callAsFunction(_ images: Tensor) -> Tensor {
      let width = classEmbedding.value.count
      let patches = patches(images).reshaped(to: [images.shape[0], -1, width])  // [B, N, D]
      let start = classEmbedding.tensor.broadcast(to: [images.shape[0], 1, width])
      return Tensor.concatenated([start, patches], along: 1) + positions.weight.tensor
    }

    func collect(into parameters: inout NamedParameters) {
      parameters.add("class_embedding", classEmbedding)
      parameters.add("patch_embedding", patches)
      parameters.add("position_embedding", positions)
    }
  }

  /// A tower with random weights.
  public init(_ configuration: CLIPVisionConfiguration, random: inout some RandomSource) {
    self.configuration = configuration
    let width = configuration.hiddenSize
    embeddings = Embeddings(configuration, random: &random)
    firstNorm = LayerNorm(size: width, epsilon: configuration.normEpsilon)
    encoder = CLIPTransformer(
      .init(
        width: width, intermediateSize: configuration.intermediateSize,
        layerCount: configuration.layerCount, headCount: configuration.headCount,
        activation: configuration.activation, normEpsilon: configuration.normEpsilon),
      random: &random)
    lastNorm = LayerNorm(size: width, epsilon: configuration.normEpsilon)
  }

  /// Normalized images `[B, H, W, 3]` to the class token after the last norm, `[B, D]`.
  public func callAsFunction(_ images: Tensor) -> Tensor {
    let size = configuration.imageSize
    precondition(
      images.rank == 4 && Array(images.shape.dropFirst()) == [size, size, 3],
      "images of shape \(images.shape) for a tower that takes [B, \(size), \(size), 3]")
    let states = encoder(firstNorm(embeddings(images)), isCausal: false)  // [B, N + 1, D]
    let first = states.slice(0..<1, along: 1).reshaped(to: [-1, configuration.hiddenSize])
    return lastNorm(first)
  }

  /// transformers' names, its misspelled `pre_layrnorm` among them.
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("embeddings", embeddings)
    parameters.add("pre_layrnorm", firstNorm)
    parameters.add("encoder", encoder)
    parameters.add("post_layernorm", lastNorm)
  }
}

import Files
import Tensors
import TextToImage

/// The sizes of CLIP's image tower, as in the `vision_config` of a `config.json`.
public struct CLIPVisionConfiguration: Sendable, Equatable, Codable {
  /// D, the width.
  public var hiddenSize = 768
  /// The width between the two layers of a perceptron.
  public var intermediateSize = 3_072
  /// The number of transformer layers.
  public var layerCount = 12
  /// The number of attention heads.
  public var headCount = 12
  /// Pixels in a row, and rows, of a picture.
  public var imageSize = 224
  /// Pixels in a row, and rows, of a patch.
  public var patchSize = 32
  /// The perceptrons' activation.
  public var activation = Activation.geluQuick
  /// Added to variances.
  public var normEpsilon: Float = 1e-5

  /// ViT-B/32's sizes.
  public init() {}

  /// The number of patches.
  public var patchCount: Int { (imageSize / patchSize) * (imageSize / patchSize) }

  /// Reads a `vision_config`; missing keys have transformers' defaults.
  init(json: JSONValue, path: String) throws {
    var reader = try ConfigurationReader(json, path: path)
    hiddenSize = try reader.integer("hidden_size") ?? 768
    intermediateSize = try reader.integer("intermediate_size") ?? 3_072
    layerCount = try reader.integer("num_hidden_layers", in: 0...1_000) ?? 12
    headCount = try reader.integer("num_attention_heads") ?? 12
    imageSize = try reader.integer("image_size", in: 1...8_192) ?? 224
    patchSize = try reader.integer("patch_size", in: 1...8_192) ?? 32
    activation = try reader.choice("hidden_act", ActivationName.self)?.activation ?? .geluQuick
    normEpsilon = Float(try reader.number("layer_norm_eps") ?? 1e-5)
    try reader.require("num_channels", 3)
    guard hiddenSize % headCount == 0 else {
      throw reader.error(
        "num_attention_heads", "is \(headCount), which does not divide hidden_size \(hiddenSize)")
    }
    guard patchSize <= imageSize else {
      throw reader.error(
        "patch_size", "is \(patchSize), more than image_size, which is \(imageSize)")
    }
  }

  /// What `vision_config` says.
  func json(projectionSize: Int) -> JSONValue {
    .object([
      "model_type": "clip_vision_model", "hidden_size": .number(Double(hiddenSize)),
      "intermediate_size": .number(Double(intermediateSize)),
      "num_hidden_layers": .number(Double(layerCount)),
      "num_attention_heads": .number(Double(headCount)),
      "image_size": .number(Double(imageSize)), "patch_size": .number(Double(patchSize)),
      "hidden_act": .string(ActivationName(activation)?.rawValue ?? activation.rawValue),
      "layer_norm_eps": .number(normEpsilon.shortest), "num_channels": 3,
      "attention_dropout": 0, "projection_dim": .number(Double(projectionSize)),
    ])
  }
}

import Files
import Tensors
import TextToImage

/// The sizes of a whole CLIP model, as in the `config.json` of transformers' `CLIPModel`.
public struct CLIPConfiguration: Sendable, Equatable {
  /// The text tower, with its projection.
  public var text: CLIPTextConfiguration
  /// The image tower.
  public var vision: CLIPVisionConfiguration
  /// P, the width of the space in which texts and images meet.
  public var projectionSize: Int
  /// The logarithm of the first factor on cosines; that of 1 / 0.07 in CLIP.
  public var initialLogitScale: Float = 2.6592

  /// A model of two towers.
  public init(
    text: CLIPTextConfiguration, vision: CLIPVisionConfiguration, projectionSize: Int
  ) {
    self.text = text
    self.text.projectionSize = projectionSize
    self.vision = vision
    self.projectionSize = projectionSize
  }

  /// Reads a `config.json`.
  ///
  /// - Throws: `FileError` if it is not a CLIP model's or has a value out of range.
  public init(path: String) throws { try self.init(json: JSONValue(path: path), path: path) }

  /// Reads what a file would say.
  ///
  /// - Throws: `FileError`, with `path` as the file's name.
  public init(json: JSONValue, path: String) throws {
    var reader = try ConfigurationReader(json, path: path)
    let kind = try reader.string("model_type") ?? "nothing"
    guard kind == "clip" else {
      throw reader.error(
        "model_type", "is '\(kind)'", advice: "name the folder of a CLIPModel of transformers")
    }
    let projectionSize = try reader.integer("projection_dim") ?? 512
    // Old files keep the towers' sizes twice; this is the key that transformers lets win.
    guard case .object(var textMembers) = Self.tower("text_config", &reader),
      case .object(let visionMembers) = Self.tower("vision_config", &reader)
    else {
      throw reader.error(
        "text_config or vision_config", "is not an object of sizes",
        advice: "name the config.json of a CLIPModel")
    }
    textMembers["architectures"] = ["CLIPTextModelWithProjection"]
    textMembers["projection_dim"] = .number(Double(projectionSize))
    self.init(
      text: try CLIPTextConfiguration(json: .object(textMembers), path: path),
      vision: try CLIPVisionConfiguration(json: .object(visionMembers), path: path),
      projectionSize: projectionSize)
    initialLogitScale = Float(try reader.number("logit_scale_init_value") ?? 2.6592)
  }

  private static func tower(_ key: String, _ reader: inout ConfigurationReader) -> JSONValue {
    let old = reader.value(key + "_dict")
    return old ?? reader.value(key) ?? .object([:])
  }

  /// What `config.json` says.
  public var json: JSONValue {
    var text = text
    text.projectionSize = projectionSize
    return .object([
      "architectures": ["CLIPModel"], "model_type": "clip",
      "projection_dim": .number(Double(projectionSize)),
      "logit_scale_init_value": .number(initialLogitScale.shortest),
      "text_config": text.json, "vision_config": vision.json(projectionSize: projectionSize),
    ])
  }
}

/// The sizes of CLIP's image tower, as in the `vision_config` of a `config.json`.
public struct CLIPVisionConfiguration: Sendable, Equatable, Codable {
  /// D, the width.
  public var hiddenSize = 768
  /// The width between the two layers of an MLP.
  public var intermediateSize = 3_072
  /// The number of transformer layers.
  public var layerCount = 12
  /// The number of attention heads.
  public var headCount = 12
  /// Pixels in a row, and rows, of an image.
  public var imageSize = 224
  /// Pixels in a row, and rows, of a patch.
  public var patchSize = 32
  /// The MLPs' activation.
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

import Files
import TextToImage

/// The sizes of a whole CLIP model, as in the `config.json` of transformers' `CLIPModel`.
public struct CLIPConfiguration: Sendable, Equatable {
  /// The text tower, with its projection.
  public var text: CLIPTextConfiguration
  /// The image tower.
  public var vision: CLIPVisionConfiguration
  /// P, the width of the space in which texts and pictures meet.
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

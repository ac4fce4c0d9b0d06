import Files
import NeuralNetworks
import Tensors

/// The sizes of a CLIP text encoder, as in its `config.json`; the defaults are Stable Diffusion
/// 1's.
public struct CLIPTextConfiguration: Sendable, Equatable {
  /// The number of tokens.
  public var vocabularySize = 49_408
  /// D, the width.
  public var hiddenSize = 768
  /// The width between the two layers of an MLP.
  public var intermediateSize = 3_072
  /// The number of transformer layers.
  public var layerCount = 12
  /// The number of attention heads.
  public var headCount = 12
  /// The maximum number of tokens of a text.
  public var maximumLength = 77
  /// The MLPs' activation.
  public var activation = Activation.geluQuick
  /// Added to variances.
  public var normEpsilon: Float = 1e-5
  /// The number of the last token; 2 is wrong in old files and stands for the maximum number.
  public var endToken = 49_407
  /// The number of the first token.
  public var startToken = 49_406
  /// The width of the projection; nil for an encoder without one.
  public var projectionSize: Int?

  /// Stable Diffusion 1's text encoder.
  public init() {}

  /// Reads a `config.json`.
  ///
  /// - Throws: `FileError` if it is not a CLIP text encoder's or has a value out of range.
  public init(path: String) throws { try self.init(json: JSONValue(path: path), path: path) }

  /// Reads what a file would say.
  ///
  /// - Throws: `FileError`, with `path` as the file's name.
  public init(json: JSONValue, path: String) throws {
    var reader = try ConfigurationReader(json, path: path)
    let architectures = try reader.strings("architectures") ?? ["CLIPTextModel"]
    let known = ["CLIPTextModel", "CLIPTextModelWithProjection"]
    guard let architecture = architectures.first, known.contains(architecture) else {
      throw reader.error(
        "architectures", "is \(architectures)",
        advice: "Attune reads CLIPTextModel and CLIPTextModelWithProjection")
    }
    try self.init(&reader, hasProjection: architecture == known[1])
  }

  /// Reads the keys of a text tower; other keys are about training and generation.
  init(_ reader: inout ConfigurationReader, hasProjection: Bool) throws {
    // transformers' defaults, which differ from Stable Diffusion's.
    vocabularySize = try reader.integer("vocab_size") ?? 49_408
    hiddenSize = try reader.integer("hidden_size") ?? 512
    intermediateSize = try reader.integer("intermediate_size") ?? 2_048
    layerCount = try reader.integer("num_hidden_layers", in: 0...1_000) ?? 12
    headCount = try reader.integer("num_attention_heads") ?? 8
    maximumLength = try reader.integer("max_position_embeddings", in: 1...65_536) ?? 77
    activation = try reader.choice("hidden_act", ActivationName.self)?.activation ?? .geluQuick
    normEpsilon = Float(try reader.number("layer_norm_eps") ?? 1e-5)
    endToken =
      try reader.integer("eos_token_id", in: 0...ConfigurationReader.maxSize) ?? 49_407
    startToken =
      try reader.integer("bos_token_id", in: 0...ConfigurationReader.maxSize) ?? 49_406
    projectionSize = hasProjection ? try reader.integer("projection_dim") ?? 512 : nil
    try reader.require("use_attention_mask", false)
    guard hiddenSize % headCount == 0 else {
      throw reader.error(
        "num_attention_heads", "is \(headCount), which does not divide hidden_size \(hiddenSize)")
    }
  }

  /// What `config.json` says.
  public var json: JSONValue {
    .object([
      "architectures": [
        projectionSize == nil ? "CLIPTextModel" : "CLIPTextModelWithProjection"
      ],
      "model_type": "clip_text_model", "vocab_size": .number(Double(vocabularySize)),
      "hidden_size": .number(Double(hiddenSize)),
      "intermediate_size": .number(Double(intermediateSize)),
      "num_hidden_layers": .number(Double(layerCount)),
      "num_attention_heads": .number(Double(headCount)),
      "max_position_embeddings": .number(Double(maximumLength)),
      "hidden_act": .string(ActivationName(activation)?.rawValue ?? activation.rawValue),
      "layer_norm_eps": .number(normEpsilon.shortest),
      "eos_token_id": .number(Double(endToken)), "bos_token_id": .number(Double(startToken)),
      "pad_token_id": .number(1), "attention_dropout": .number(0),
      "projection_dim": .number(Double(projectionSize ?? hiddenSize)),
    ])
  }
}

extension Float {
  /// The number with the fewest digits that is this one in single precision.
  package var shortest: Double { Double("\(self)") ?? Double(self) }
}

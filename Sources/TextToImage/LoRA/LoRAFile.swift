import Files
import Foundation
import Tensors

/// Low-rank changes of a model's weights (LoRA, Hu et al., arXiv:2106.09685), as files have them:
/// W + scale alpha / r B A, with A `[r, inputs]` and B `[outputs, r]` for each changed layer.
///
/// Read are the names of peft and diffusers, those of older diffusers, and kohya's (Civitai, LCM-LoRA),
/// the block names of the original Stable Diffusion included; see `LayerNames`.
public struct LoRAFile: Sendable {
  /// Where it was read.
  public let path: String
  /// What all of it is multiplied by.
  public let scale: Float
  /// The changes, in the order of their names.
  let changes: [Change]

  /// How many layers it changes.
  public var layerCount: Int { changes.count }

  /// The change of one layer.
  struct Change: Sendable {
    /// The layer, as the file spells it.
    let layer: String
    /// A, `[r, inputs]` or `[r, inputs, k, k]`.
    let down: Tensor
    /// B, `[outputs, r]` or `[outputs, r, 1, 1]`.
    let up: Tensor
    /// What B A is multiplied by: alpha / r.
    let factor: Float
  }

  /// Reads what `FILE` or `FILE:SCALE` names: a safetensors or PyTorch file, or a folder with
  /// `pytorch_lora_weights` or peft's `adapter_model` in it.
  ///
  /// - Throws: `FileError` if there are no such changes in it, or others than of low rank.
  public init(_ text: String) throws {
    let (path, scale) = Self.split(text)
    try self.init(path: path, scale: scale)
  }

  /// Reads a file, or a folder with one.
  ///
  /// - Throws: `FileError` if there are no such changes in it, or others than of low rank.
  public init(path: String, scale: Float = 1) throws {
    let (path, adapterConfiguration) = try Self.file(path)
    self.path = path
    self.scale = scale
    let file: any TensorFile
    var alphas = try LoRAAlphas(adapterConfiguration: adapterConfiguration)
    if path.lowercased().hasSuffix(".safetensors") {
      let safetensors = try SafetensorsFile(path: path)
      try alphas.read(metadata: safetensors.metadata, path: path)
      file = safetensors
    } else {
      file = try PyTorchFile(path: path)
    }
    changes = try Self.changes(file, alphas)
  }

  /// A path with a colon in it is one if a file lies there.
  static func split(_ text: String) -> (path: String, scale: Float) {
    guard !FileManager.default.fileExists(atPath: text), let colon = text.lastIndex(of: ":"),
      let scale = Float(text[text.index(after: colon)...]), scale.isFinite
    else { return (text, 1) }
    return (String(text[..<colon]), scale)
  }

  private static let fileNames = [
    "pytorch_lora_weights.safetensors", "adapter_model.safetensors", "pytorch_lora_weights.bin",
    "adapter_model.bin",
  ]

  /// The file, and peft's configuration beside it.
  private static func file(_ path: String) throws -> (path: String, configuration: String?) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
    else { return (path, nil) }
    guard let name = fileNames.first(where: { exists("\(path)/\($0)") }) else {
      throw FileError(
        .missing, path: path, problem: "has no \(fileNames.prefix(2).joined(separator: " or "))",
        advice: "name the file")
    }
    let configuration = "\(path)/adapter_config.json"
    return ("\(path)/\(name)", exists(configuration) ? configuration : nil)
  }

  private static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path)
  }

  /// What a tensor is for its layer.
  private enum Role {
    case down, up, alpha
  }

  /// How names end.
  private static let endings: [(String, Role)] = [
    (".lora_A.weight", .down), (".lora_B.weight", .up),
    (".lora_A.default.weight", .down), (".lora_B.default.weight", .up),
    (".lora_down.weight", .down), (".lora_up.weight", .up),
    (".lora.down.weight", .down), (".lora.up.weight", .up),
    (".lora_linear_layer.down.weight", .down), (".lora_linear_layer.up.weight", .up),
    ("_lora.down.weight", .down), ("_lora.up.weight", .up), (".alpha", .alpha),
  ]

  /// Words in the names of other kinds of changes.
  private static let otherKinds: [(String, String)] = [
    ("dora_scale", "DoRA"), ("lora_magnitude_vector", "DoRA"), ("hada_", "LoHa (LyCORIS)"),
    ("lokr_", "LoKr (LyCORIS)"), ("lora_mid.", "LoCon with a core tensor (LyCORIS)"),
    (".oft_", "OFT"), (".diff", "full changes (LyCORIS)"), (".diff_b", "full changes (LyCORIS)"),
    (".on_input", "IA3 (LyCORIS)"), (".b1.weight", "GLoRA (LyCORIS)"),
  ]

  /// The kind of change that a tensor's name says, if it is not of low rank.
  private static func otherKind(_ name: String) -> String? {
    otherKinds.first { word, _ in
      word.hasPrefix(".diff") ? name.hasSuffix(word) : name.contains(word)
    }?.1
  }

  private static func changes(
    _ file: any TensorFile, _ alphas: LoRAAlphas
  ) throws -> [Change] {
    for name in file.names {
      guard let kind = otherKind(name) else { continue }
      throw FileError(
        .unsupported, path: file.path, item: name, problem: "is of \(kind), not of a plain LoRA",
        advice: "take a LoRA, or merge the file into a model folder with the program that made it")
    }
    var layers: [String: [Role: String]] = [:]
    var unknown: [String] = []
    for name in file.names {
      guard let (ending, role) = endings.first(where: { name.hasSuffix($0.0) }) else {
        unknown.append(name)
        continue
      }
      layers[String(name.dropLast(ending.count)), default: [:]][role] = name
    }
    try refuse(unknown, path: file.path, problem: "is no name of a LoRA's tensor")
    guard !layers.isEmpty else {
      throw FileError(.missing, path: file.path, problem: "has no tensors")
    }
    return try layers.sorted { $0.key < $1.key }.map { layer, tensors in
      try change(
        layer, down: tensors[.down], up: tensors[.up], alpha: tensors[.alpha], file, alphas)
    }
  }

  /// Names that nothing is known of, the first few of them.
  static func refuse(_ names: [String], path: String, problem: String) throws {
    guard let first = names.min() else { return }
    let others = names.sorted().dropFirst().prefix(3).map { "'\($0.printable)'" }
    let more = names.count - 1 - others.count
    throw FileError(
      .unsupported, path: path, item: first,
      problem: problem
        + (others.isEmpty
          ? ""
          : ", nor is \(others.joined(separator: ", "))" + (more > 0 ? " and \(more) more" : "")),
      advice: "is it a LoRA for this kind of model?")
  }

  private static func change(
    _ layer: String, down: String?, up: String?, alpha: String?, _ file: any TensorFile,
    _ alphas: LoRAAlphas
  ) throws -> Change {
    guard let down, let up else {
      throw FileError(
        .malformed, path: file.path, item: layer,
        problem: "has \(down == nil ? "no A (down)" : "no B (up)")",
        advice: "the file is incomplete: fetch it again")
    }
    let (a, b) = (try file.tensor(named: down), try file.tensor(named: up))
    for (name, tensor) in [(down, a), (up, b)]
    where tensor.count == 0 || tensor.nonFiniteCount > 0 {
      throw FileError(
        .malformed, path: file.path, item: name,
        problem: tensor.count == 0 ? "is empty" : "has elements that are not finite")
    }
    guard a.rank >= 2, b.rank >= 2, b.count == b.shape[0] * b.shape[1], b.shape[1] == a.shape[0]
    else {
      throw FileError(
        .malformed, path: file.path, item: layer,
        problem: "has A \(a.shape) and B \(b.shape), expected [r, inputs] and [outputs, r]")
    }
    var own: Float?
    if let alpha {
      let tensor = try file.tensor(named: alpha)
      guard tensor.count == 1, tensor.nonFiniteCount == 0 else {
        throw FileError(
          .malformed, path: file.path, item: alpha, problem: "is not one finite number")
      }
      own = tensor.elements[0]
    }
    return Change(
      layer: layer, down: a, up: b,
      factor: try alphas.factor(of: layer, rank: a.shape[0], own: own, path: file.path))
  }
}

import Files
import Foundation
import NeuralNetworks
import Tensors

/// Reads and writes the weights of one part of a model folder.
package struct ComponentWeights {
  /// The part's folder.
  let folder: String
  /// `model` for transformers, `diffusion_pytorch_model` for diffusers.
  let name: String
  /// The parameter that a name in an older file means.
  let modernName: (String) -> String

  package init(
    folder: String, name: String, modernName: @escaping (String) -> String = { $0 }
  ) {
    self.folder = folder
    self.name = name
    self.modernName = modernName
  }

  /// Gives every parameter of a module its value.
  ///
  /// - Throws: `FileError` if a tensor is missing, unknown or has another shape than the
  ///   configuration says.
  package func load(into module: some Module) throws {
    let file = try WeightFiles(folder: folder, name: name).open()
    var names: [String: String] = [:]
    // A table of positions that old versions of transformers stored is known anyway.
    for name in file.names where !name.hasSuffix("embeddings.position_ids") {
      names[modernName(name)] = name
    }
    for (name, parameter) in module.parameters {
      guard let stored = names.removeValue(forKey: name) else {
        throw FileError(
          .missing, path: file.path, item: name, problem: "is not in the file",
          advice: "does config.json belong to these weights?")
      }
      let value = try file.tensor(named: stored)
      let shape = parameter.value.shape
      guard value.shape.withoutTrailingOnes == shape.withoutTrailingOnes else {
        throw FileError(
          .malformed, path: file.path, item: stored,
          problem: "has shape \(value.shape), but config.json makes it \(shape)",
          advice: "do the two files belong together?")
      }
      parameter.value = value.reshaped(to: shape)
    }
    if let name = names.keys.min() {
      throw FileError(
        .malformed, path: file.path, item: name,
        problem:
          "is a tensor that the network of config.json lacks, as are \(names.count - 1) more",
        advice: "do the two files belong together?")
    }
  }

  /// Writes every parameter of a module.
  ///
  /// - Throws: `FileError` if the system refuses.
  package func write(
    _ module: some Module, as elementType: ElementType, maxShardByteCount: Int
  ) throws {
    var tensors: [String: StoredTensor] = [:]
    for (name, parameter) in module.parameters {
      tensors[name] = StoredTensor(parameter.value, as: elementType)
    }
    try ShardedTensorFile.write(
      tensors, name: name, folder: folder, maxShardByteCount: maxShardByteCount,
      metadata: ["format": "pt"])
  }

  /// The names that `AutoencoderKL` had before diffusers 0.17.
  static func modernAttentionName(_ name: String) -> String {
    guard name.contains(".attentions.") else { return name }
    let old = [
      (".query.", ".to_q."), (".key.", ".to_k."), (".value.", ".to_v."),
      (".proj_attn.", ".to_out.0."),
    ]
    return old.reduce(name) { $0.replacing($1.0, with: $1.1) }
  }

  /// transformers 5 writes `CLIPTextModel` without the prefix that all versions read.
  static func modernTextName(_ name: String) -> String {
    name.hasPrefix("text_model.") || name.hasPrefix("text_projection.")
      ? name : "text_model.\(name)"
  }
}

extension [Int] {
  /// A pointwise convolution's weight and a linear layer's are the same numbers.
  fileprivate var withoutTrailingOnes: ArraySlice<Int> {
    self[...(lastIndex { $0 != 1 } ?? -1)]
  }
}

/// The files that the weights of one part of a model folder may be in, and which of them is read.
///
/// Hubs keep the same weights as safetensors and as PyTorch's own files, whole or in shards with an
/// index, at full precision and in variants of less, in either spelling:
/// `model.fp16.safetensors`, `model.safetensors.index.fp16.json`,
/// `model.fp16.safetensors.index.json`, and the same with `.bin`.
struct WeightFiles {
  /// What is there, best first: full precision before variants, safetensors before PyTorch's files,
  /// shards before one file.
  let names: [String]
  private let folder: String
  private let common: String

  /// From the most precise to the least; the empty one is the precision that a model was trained
  /// in.
  private static let variants = ["", "fp32", "fp16", "bf16"]

  /// - Parameters:
  ///   - folder: the part's folder.
  ///   - name: `model` for transformers, `diffusion_pytorch_model` for diffusers.
  init(folder: String, name: String) {
    self.folder = folder
    common = name
    let pickled = name == "model" ? "pytorch_model" : name
    let candidates = Self.variants.flatMap { variant in
      [(name, "safetensors"), (pickled, "bin")].flatMap { base, suffix in
        Self.candidates(base: base, suffix: suffix, variant: variant)
      }
    }
    names = candidates.filter { FileManager.default.fileExists(atPath: "\(folder)/\($0)") }
  }

  private static func candidates(base: String, suffix: String, variant: String) -> [String] {
    guard !variant.isEmpty else {
      return ["\(base).\(suffix).index.json", "\(base).\(suffix)"]
    }
    return [
      "\(base).\(suffix).index.\(variant).json", "\(base).\(variant).\(suffix).index.json",
      "\(base).\(variant).\(suffix)",
    ]
  }

  /// Which file is read, where others could have been meant; nil where there is one, at full
  /// precision.
  var note: String? {
    guard let chosen = names.first else { return nil }
    let others = names.dropFirst()
    let isVariant = Self.variants.contains { !$0.isEmpty && chosen.contains(".\($0).") }
    guard isVariant || !others.isEmpty else { return nil }
    let beside = others.isEmpty ? "" : ", not \(others.joined(separator: ", "))"
    return "reading \(folder)/\(chosen)\(beside)"
  }

  /// Opens the best of them.
  ///
  /// - Throws: `FileError` if there is none, or it is damaged.
  func open() throws -> any TensorFile {
    guard let name = names.first else { throw missing() }
    let path = "\(folder)/\(name)"
    if name.hasSuffix(".json") { return try ShardedTensorFile(indexPath: path) }
    return name.hasSuffix(".bin") ? try PyTorchFile(path: path) : try SafetensorsFile(path: path)
  }

  private func missing() -> FileError {
    let found = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let suffixes = [".safetensors", ".bin", ".ckpt", ".msgpack", ".h5", ".onnx", ".pt", ".pth"]
    let alike = found.filter { name in suffixes.contains { name.hasSuffix($0) } }.sorted()
    return FileError(
      .missing, path: "\(folder)/\(common).safetensors",
      problem: "does not exist, nor an index of shards beside it"
        + (alike.isEmpty ? "" : "; the folder has \(alike.prefix(5).joined(separator: ", "))"),
      advice: alike.isEmpty
        ? "the model folder is incomplete: fetch it again"
        : "give the weights that you mean this name")
  }
}

extension PromptedModel {
  /// Which files the weights of a model folder are read from, a sentence for each part whose folder
  /// has several or only weights of lower precision.
  public static func weightNotes(folder: String) -> [String] {
    [
      ("text_encoder", "model"), ("unet", "diffusion_pytorch_model"),
      ("vae", "diffusion_pytorch_model"),
    ].compactMap { WeightFiles(folder: "\(folder)/\($0)", name: $1).note }
  }
}

/// Gives parameters memory without touching it, for networks whose weights are read from a file.
package struct UnsetWeights: RandomSource {
  package init() {}

  package mutating func uniform(_ shape: [Int], in range: Range<Float>) -> Tensor {
    Tensor(shape: shape) { _ in }
  }

  package mutating func normal(_ shape: [Int], mean: Float, standardDeviation: Float) -> Tensor {
    Tensor(shape: shape) { _ in }
  }
}

import Files
import Foundation

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

  /// From the most precise to the least; the empty one is the precision that a model was trained in.
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

extension TextToImageModel {
  /// Which files the weights of a model folder are read from, a sentence for each part whose folder has
  /// several or only weights of lower precision.
  public static func weightNotes(folder: String) -> [String] {
    [
      ("text_encoder", "model"), ("unet", "diffusion_pytorch_model"),
      ("vae", "diffusion_pytorch_model"),
    ].compactMap { WeightFiles(folder: "\(folder)/\($0)", name: $1).note }
  }
}

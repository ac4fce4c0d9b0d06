import Files
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
    _ module: some Module, as elementType: ElementType, mostShardByteCount: Int
  ) throws {
    var tensors: [String: StoredTensor] = [:]
    for (name, parameter) in module.parameters {
      tensors[name] = StoredTensor(parameter.value, as: elementType)
    }
    try ShardedTensorFile.write(
      tensors, name: name, folder: folder, mostShardByteCount: mostShardByteCount,
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

import Files
import Foundation
import NeuralNetworks
import Tensors

/// A word whose embedding was learned by itself (textual inversion, Gal et al., arXiv:2208.01618).
public struct TokenEmbedding: Sendable {
  /// The word, as it stands in prompts.
  public let token: String
  /// `[n, D]`; a word of several vectors stands for as many tokens.
  public let vectors: Tensor
  /// Where it was read.
  public let path: String

  /// Reads what diffusers' `load_textual_inversion` reads: `{token: vectors}` in safetensors or
  /// PyTorch files, `learned_embeds.safetensors` or `.bin` of a folder, and the files of other
  /// programs (`string_to_param` with a `name`, or `emb_params`, whose token is the file's name).
  ///
  /// - Parameters:
  ///   - path: a file or a folder with one.
  ///   - token: the word, in place of the file's own.
  /// - Throws: `FileError` if there is none in it.
  public static func read(path: String, token: String? = nil) throws -> [TokenEmbedding] {
    let path = try file(path)
    let found = try vectors(path)
    guard token == nil || found.count == 1 else {
      throw FileError(
        .unsupported, path: path, problem: "has \(found.count) tokens",
        advice: "leave the token out: the file names them")
    }
    return try found.map { name, vectors in
      guard [1, 2].contains(vectors.rank), !vectors.shape.contains(0) else {
        throw FileError(
          .malformed, path: path, item: name,
          problem: "has shape \(vectors.shape), expected [D] or [n, D]")
      }
      guard vectors.elements.allSatisfy(\.isFinite) else {
        throw FileError(
          .malformed, path: path, item: name, problem: "has elements that are not finite")
      }
      let token = token ?? name
      guard !token.isEmpty, !token.contains(where: \.isWhitespace) else {
        throw FileError(
          .unsupported, path: path, item: name, problem: "is no token: it is empty or has spaces",
          advice: "give it one, as in TOKEN=FILE")
      }
      let rows = vectors.rank == 1 ? vectors.reshaped(to: [1, vectors.shape[0]]) : vectors
      return TokenEmbedding(token: token, vectors: rows, path: path)
    }
  }

  private static let fileNames = ["learned_embeds.safetensors", "learned_embeds.bin"]

  /// The embedding file that lies in a folder without being part of the model; nil if there is
  /// none.
  public static func path(in folder: String) -> String? {
    fileNames.map { "\(folder)/\($0)" }.first(where: FileManager.default.fileExists)
  }

  private static func file(_ path: String) throws -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
    else { return path }
    guard let file = self.path(in: path) else {
      throw FileError(
        .missing, path: path,
        problem: "has no \(fileNames.joined(separator: " or "))", advice: "name the file")
    }
    return file
  }

  /// The tensors of a file by token.
  private static func vectors(_ path: String) throws -> [(String, Tensor)] {
    let stem = URL(filePath: path).deletingPathExtension().lastPathComponent
    let file: any TensorFile
    if path.lowercased().hasSuffix(".safetensors") {
      file = try SafetensorsFile(path: path)
    } else {
      let pickled = try PyTorchFile(path: path)
      if pickled.root["string_to_param"] != nil {
        let names = pickled.names.filter { $0.hasPrefix("string_to_param/") }
        guard names.count == 1 else {
          throw FileError(
            .unsupported, path: path, item: "string_to_param",
            problem: "has \(names.count) tensors, expected one")
        }
        let vectors = try pickled.tensor(named: names[0])
        if case .text(let name)? = pickled.root["name"] { return [(name, vectors)] }
        return [(stem, vectors)]
      }
      file = pickled
    }
    guard !file.names.isEmpty else {
      throw FileError(.missing, path: path, problem: "has no tensors")
    }
    if let name = file.names.first(where: { ["clip_l", "clip_g"].contains($0) }) {
      throw FileError(
        .unsupported, path: path, item: name,
        problem: "is the embedding of a model with two text encoders",
        advice: "take one that was learned for Stable Diffusion 1 or 2")
    }
    return try file.names.map { name in
      (name == "emb_params" ? stem : name, try file.tensor(named: name))
    }
  }
}

extension PromptedModel {
  /// The same model with words of its own: `TOKEN`, and `TOKEN_1`, `TOKEN_2` and so on for further
  /// vectors, as diffusers names them.
  ///
  /// - Throws: `FileError` if a word is a token already, or its vectors are of another width than
  ///   the text encoder's.
  public func adding(_ embeddings: [TokenEmbedding]) throws -> PromptedModel {
    guard !embeddings.isEmpty else { return self }
    var known = Set(tokenizer.vocabulary.identifiers.keys)
      .union(tokenizer.addedTokens.map(\.text))
    let first = tokenizer.maxToken + 1
    let width = textEncoder.configuration.hiddenSize
    var tokens: [AddedToken] = []
    for embedding in embeddings {
      guard embedding.vectors.shape[1] == width else {
        throw FileError(
          .unsupported, path: embedding.path, item: embedding.token,
          problem:
            "has \(embedding.vectors.shape[1]) numbers a vector, but the model's tokens have "
            + "\(width)", advice: "take one that was learned for this model")
      }
      for index in 0..<embedding.vectors.shape[0] {
        let text = index == 0 ? embedding.token : "\(embedding.token)_\(index)"
        guard known.insert(text).inserted else {
          throw FileError(
            .unsupported, path: embedding.path, item: text,
            problem: "is a token of the model already", advice: "give another, as in TOKEN=FILE")
        }
        tokens.append(AddedToken(text, identifier: first + tokens.count))
      }
    }
    let rows = Tensor.concatenated(embeddings.map(\.vectors), along: 0)
    return try PromptedModel(
      tokenizer: tokenizer.adding(tokens), textEncoder: textEncoder.writing(rows, at: first),
      unet: unet, autoencoder: autoencoder, decoder: decoder, scheduler: scheduler, folder: ".")
  }
}

extension CLIPTextEncoder {
  /// A frozen copy whose embeddings from `first` on are the given rows `[n, D]`.
  fileprivate func writing(_ rows: Tensor, at first: Int) -> CLIPTextEncoder {
    var configuration = configuration
    configuration.vocabularySize = max(configuration.vocabularySize, first + rows.shape[0])
    var unset = UnsetWeights()
    let copy = CLIPTextEncoder(configuration, random: &unset)
    for (mine, other) in zip(parameters, copy.parameters) {
      other.parameter.isTrainable = false
      guard mine.name.hasSuffix("token_embedding.weight") else {
        other.parameter.value = mine.parameter.value
        continue
      }
      let old = mine.parameter.value
      let after = first + rows.shape[0]
      var parts = [old.slice(0..<min(first, old.shape[0])), rows]
      // Rows that no token had are only there when the table was larger than the tokenizer.
      if after < old.shape[0] { parts.append(old.slice(after..<old.shape[0])) }
      other.parameter.value = .concatenated(parts, along: 0)
    }
    return copy
  }
}

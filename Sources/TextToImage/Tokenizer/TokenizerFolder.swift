import Files
import Foundation

extension CLIPTokenizer {
  /// Reads a `tokenizer/` folder: `vocab.json` and `merges.txt`, or `tokenizer.json`, with the
  /// padding and length of `tokenizer_config.json` and `special_tokens_map.json`, and the tokens
  /// that `tokenizer_config.json`, `tokenizer.json` and `added_tokens.json` add.
  ///
  /// - Throws: `FileError` if a file is missing or does not fit the others.
  public init(folder: String) throws {
    let settings = try TokenizerSettings(folder: folder)
    let vocabularyPath = "\(folder)/vocab.json"
    let vocabulary: BytePairVocabulary
    let path: String
    if FileManager.default.fileExists(atPath: vocabularyPath) {
      path = vocabularyPath
      vocabulary = try BytePairVocabulary(
        vocabularyPath: vocabularyPath, mergesPath: "\(folder)/merges.txt")
    } else if FileManager.default.fileExists(atPath: "\(folder)/tokenizer.json") {
      path = "\(folder)/tokenizer.json"
      vocabulary = try BytePairVocabulary(tokenizerPath: path)
    } else {
      throw FileError(
        .missing, path: vocabularyPath, problem: "does not exist, nor does tokenizer.json",
        advice: "a text-to-image model needs its tokenizer's vocabulary")
    }
    let added = try AddedTokenFiles(folder: folder, vocabulary: vocabulary)
    do {
      try self.init(
        checking: vocabulary, maximumLength: settings.maximumLength, padding: settings.padding,
        addedTokens: added.tokens)
    } catch {
      throw FileError(
        .malformed, path: path, item: error.text, problem: "is not in the vocabulary",
        advice: "the tokenizer is not CLIP's, or damaged")
    }
  }

  /// Writes a `tokenizer/` folder that transformers and diffusers read.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(folder: String) throws {
    try JSONValue.object(vocabulary.identifiers.mapValues { .number(Double($0)) })
      .write(to: "\(folder)/vocab.json")
    let lines = ["#version: 0.2"] + vocabulary.merges.map { "\($0.left) \($0.right)" }
    try AtomicFile.write(lines.joined(separator: "\n") + "\n", to: "\(folder)/merges.txt")
    var settings: [String: JSONValue] = [
      "bos_token": .string(BytePairVocabulary.startOfText),
      "eos_token": .string(BytePairVocabulary.endOfText),
      "unk_token": .string(BytePairVocabulary.endOfText), "pad_token": .string(padding),
    ]
    // Named as extra ones, special tokens stay special for programs that read no flags.
    let extra = addedTokens.filter { $0.isSpecial && !settings.values.contains(.string($0.text)) }
    var map = settings
    if !extra.isEmpty {
      map["additional_special_tokens"] = .array(extra.map { .string($0.text) })
    }
    try JSONValue.object(map).write(to: "\(folder)/special_tokens_map.json")
    if !addedTokens.isEmpty {
      settings["added_tokens_decoder"] = AddedTokenFiles.decoder(addedTokens)
      let numbers = addedTokens.map { ($0.text, JSONValue.number(Double($0.identifier))) }
      try JSONValue.object(Dictionary(numbers) { first, _ in first })
        .write(to: "\(folder)/added_tokens.json")
    }
    settings["model_max_length"] = .number(Double(maximumLength))
    settings["tokenizer_class"] = "CLIPTokenizer"
    try JSONValue.object(settings).write(to: "\(folder)/tokenizer_config.json")
  }
}

/// What the files beside a vocabulary say.
private struct TokenizerSettings {
  var padding = BytePairVocabulary.endOfText
  var maximumLength = 77
  private static let maxTokens = 1 << 16

  init(folder: String) throws {
    // The later file wins.
    for name in ["tokenizer_config.json", "special_tokens_map.json"] {
      let path = "\(folder)/\(name)"
      guard FileManager.default.fileExists(atPath: path) else { continue }
      guard case .object(let members) = try JSONValue(path: path) else {
        throw FileError(.malformed, path: path, problem: "is not a JSON object")
      }
      try check(members, path: path)
      if let text = Self.token(members["pad_token"]) { padding = text }
      // transformers writes 1e30 where there is no limit.
      if case .number(let length) = members["model_max_length"], length < 1e9 {
        guard let count = Int(exactly: length), (2...Self.maxTokens).contains(count) else {
          throw FileError(
            .malformed, path: path, item: "model_max_length",
            problem: "is \(length), not a number of tokens from 2 to \(Self.maxTokens)")
        }
        maximumLength = count
      }
    }
  }

  private func check(_ members: [String: JSONValue], path: String) throws {
    let expected = [
      ("bos_token", BytePairVocabulary.startOfText), ("eos_token", BytePairVocabulary.endOfText),
      ("unk_token", BytePairVocabulary.endOfText),
    ]
    for (key, text) in expected {
      guard let found = Self.token(members[key]), found != text else { continue }
      throw FileError(
        .unsupported, path: path, item: key, problem: "is '\(found)', not CLIP's '\(text)'",
        advice: "Attune reads CLIP tokenizers")
    }
    guard case .string(let name) = members["tokenizer_class"],
      !["CLIPTokenizer", "CLIPTokenizerFast"].contains(name)
    else { return }
    throw FileError(
      .unsupported, path: path, item: "tokenizer_class", problem: "is '\(name)'",
      advice: "Attune reads CLIP tokenizers")
  }

  /// A token is a text, or an object with the text in it.
  private static func token(_ value: JSONValue?) -> String? {
    switch value {
    case .string(let text): return text
    case .object(let members): return token(members["content"])
    default: return nil
    }
  }
}

extension BytePairVocabulary {
  /// Reads `vocab.json` and `merges.txt`.
  ///
  /// - Throws: `FileError` if one of them is missing or they do not fit together.
  public init(vocabularyPath: String, mergesPath: String) throws {
    let identifiers = try Self.identifiers(try JSONValue(path: vocabularyPath), vocabularyPath)
    let merges = try Self.merges(path: mergesPath)
    try self.init(identifiers, merges: merges, path: mergesPath)
  }

  /// Reads the model in a `tokenizer.json`.
  init(tokenizerPath path: String) throws {
    guard case .object(let root) = try JSONValue(path: path),
      case .object(let model) = root["model"],
      let vocabulary = model["vocab"], case .array(let values) = model["merges"]
    else {
      throw FileError(
        .malformed, path: path, item: "model", problem: "is not a byte-pair encoding",
        advice: "Attune reads CLIP tokenizers")
    }
    let merges = try values.enumerated().map { index, value in
      switch value {
      case .string(let line): return try Self.pair(line, path: path, line: index + 1)
      case .array(let parts):
        guard parts.count == 2, case .string(let left) = parts[0],
          case .string(let right) = parts[1]
        else { fallthrough }
        return Pair(left, right)
      default:
        throw FileError(
          .malformed, path: path, item: "merges", problem: "entry \(index) is not a pair of tokens")
      }
    }
    try self.init(try Self.identifiers(vocabulary, path), merges: merges, path: path)
  }

  private init(_ identifiers: [String: Int], merges: [Pair], path: String) throws {
    do {
      try self.init(identifiers: identifiers, merges: merges)
    } catch {
      throw FileError(
        .malformed, path: path, item: error.token,
        problem: "is needed by merge \(error.index + 1), but not in the vocabulary",
        advice: "vocab.json and merges.txt must come from the same tokenizer")
    }
  }

  private static func identifiers(_ value: JSONValue, _ path: String) throws -> [String: Int] {
    guard case .object(let members) = value else {
      throw FileError(.malformed, path: path, problem: "is not an object of token numbers")
    }
    return try Dictionary(
      uniqueKeysWithValues: members.map { text, value in
        guard case .number(let number) = value, let identifier = Int(exactly: number),
          (0..<(1 << 31)).contains(identifier)
        else {
          throw FileError(
            .malformed, path: path, item: text, problem: "has no whole number as its value")
        }
        return (text, identifier)
      })
  }

  private static func merges(path: String) throws -> [Pair] {
    try TextFile.lines(path: path).enumerated().compactMap { index, line in
      if index == 0 && line.hasPrefix("#version") { return nil }
      return line.isEmpty ? nil : try pair(line, path: path, line: index + 1)
    }
  }

  private static func pair(
    _ text: some StringProtocol, path: String, line: Int
  ) throws -> Pair {
    let parts = text.split(separator: " ")
    guard parts.count == 2 else {
      throw FileError(
        .malformed, path: path, item: "line \(line)",
        problem: "has \(parts.count) tokens, where two are merged")
    }
    return Pair(String(parts[0]), String(parts[1]))
  }
}

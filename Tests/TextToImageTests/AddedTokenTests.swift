import Files
import Foundation
import GenerativeModels
import TestSupport
import Tensors
import Testing

@testable import TextToImage

/// Tokens that a folder adds to its vocabulary, and learned ones from files of their own.
@Suite struct AddedTokenTests {
  private struct Golden: Decodable {
    let strings: [String]
    let cases: [Case]
  }

  private struct Case: Decodable {
    let name: String
    let tokens: [[Int]]
  }

  /// A tokenizer's folder with the files of a case.
  private func tokenizerFolder(
    _ folder: TemporaryFolder, _ name: String, files: [String: JSONValue]
  ) throws -> String {
    let path = folder.file(name)
    try FileManager.default.copyItem(atPath: Goldens.path("tokenizer"), toPath: path)
    for (file, content) in files { try content.write(to: "\(path)/\(file)") }
    return path
  }

  private func cases() throws -> (strings: [String], [(Case, files: [String: JSONValue])]) {
    let golden = try Goldens.decode(Golden.self, "added.json")
    let json = try JSONValue(path: Goldens.path("added.json"))
    guard case .array(let values)? = json.members?["cases"] else { return ([], []) }
    let files = values.map { $0.members?["files"]?.members ?? [:] }
    return (golden.strings, zip(golden.cases, files).map { ($0, files: $1) })
  }

  /// As transformers' CLIPTokenizer cuts them, also after they were written and read again.
  @Test func tokensAreThoseOfTransformers() throws {
    let folder = try TemporaryFolder()
    let (strings, cases) = try cases()
    #expect(cases.count >= 14)
    for (index, (golden, files)) in cases.enumerated() {
      let path = try tokenizerFolder(folder, "\(index)", files: files)
      let tokenizer = try CLIPTokenizer(folder: path)
      for (string, expected) in zip(strings, golden.tokens) {
        #expect(tokenizer.tokens(string) == expected, "\(golden.name): '\(string)'")
      }
      let copy = folder.file("\(index)-copy")
      try FileManager.default.createDirectory(
        atPath: copy, withIntermediateDirectories: false)
      try tokenizer.write(folder: copy)
      let read = try CLIPTokenizer(folder: copy)
      #expect(read.addedTokens == tokenizer.addedTokens, "\(golden.name)")
      #expect(strings.map(read.tokens) == golden.tokens, "\(golden.name)")
    }
  }

  /// The added tokens of a `tokenizer.json`, beside `vocab.json` or instead of it.
  @Test func tokenizerJSONAddsTokens() throws {
    let folder = try TemporaryFolder()
    let plain = try CLIPTokenizer(folder: Goldens.path("tokenizer"))
    let added: JSONValue = [
      ["id": 1_200, "content": "<cat-toy>", "special": false, "normalized": true],
      ["id": 1_201, "content": "sks", "special": false, "normalized": false],
    ]
    let file = JSONValue.object([
      "added_tokens": added,
      "model": .object([
        "vocab": .object(plain.vocabulary.identifiers.mapValues { .number(Double($0)) }),
        "merges": .array(plain.vocabulary.merges.map { .string("\($0.left) \($0.right)") }),
      ]),
    ])
    let path = try tokenizerFolder(folder, "both", files: ["tokenizer.json": file])
    for _ in 0..<2 {
      let tokenizer = try CLIPTokenizer(folder: path)
      #expect(tokenizer.tokens("<Cat-Toy> sks").dropFirst().dropLast() == [1_200, 1_201])
      #expect(!tokenizer.tokens("SKS").contains(1_201))
      // Only tokenizer.json is left.
      for name in ["vocab.json", "merges.txt"]
      where FileManager.default.fileExists(atPath: "\(path)/\(name)") {
        try FileManager.default.removeItem(atPath: "\(path)/\(name)")
      }
    }
  }

  @Test func filesThatDisagreeAreNamed() throws {
    let folder = try TemporaryFolder()
    let bad: [([String: JSONValue], String)] = [
      (["added_tokens.json": ["<a>": 1_200, "<b>": 1_200]], "is token 1200"),
      (["added_tokens.json": ["<a>": 5]], "is token 5, as is"),
      (["added_tokens.json": ["<|endoftext|>": 1_300]], "1199 in the vocabulary"),
      (["added_tokens.json": ["<a>": "x"]], "no whole number"),
      (
        [
          "added_tokens.json": ["<a>": 1_200],
          "tokenizer_config.json": ["added_tokens_decoder": ["1201": ["content": "<a>"]]],
        ], "is token 1200, but 1201 in"
      ),
      (["tokenizer_config.json": ["added_tokens_decoder": ["x": ["content": "<a>"]]]], "no token"),
    ]
    for (index, (files, text)) in bad.enumerated() {
      let path = try tokenizerFolder(folder, "\(index)", files: files)
      let error = #expect(throws: FileError.self) { try CLIPTokenizer(folder: path) }
      #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
    }
  }

  /// A model folder with an added token draws other images by it, keeps it when it is written, and
  /// has another fingerprint.
  @Test func modelsKeepAddedTokens() throws {
    let tiny = try TinyModel()
    let plain = try tiny.load()
    let learned = try withEmbedding(plain, ["<cat-toy>": 2], folder: tiny)
    #expect(learned.tokenizer.addedTokens.map(\.text) == ["<cat-toy>", "<cat-toy>_1"])
    let copy = tiny.sibling("learned")
    try learned.write(folder: copy)
    let read = try TextToImageModel(folder: copy)
    #expect(read.textEncoder.configuration.vocabularySize == 1_202)
    #expect(read.fingerprint == learned.fingerprint && read.fingerprint != plain.fingerprint)
    func image(_ model: TextToImageModel, _ prompt: String) throws -> [Float] {
      try TextToImagePipeline(model).images(
        prompts: [prompt], seeds: [1], settings: TinyModel.settings
      ).elements
    }
    let drawn = try image(learned, "a <cat-toy>")
    #expect(try image(read, "a <cat-toy>") == drawn)
    #expect(try image(plain, "a <cat-toy>") != drawn)
    #expect(try image(learned, "a cat") == image(plain, "a cat"))
    #expect(learned.tokenizer.rest(of: "<cat-toy> " + String(repeating: "a ", count: 80)) != nil)

    // Tokens without embeddings are refused by name.
    try (["<sks>": 1_200] as JSONValue).write(to: tiny.file("tokenizer/added_tokens.json"))
    let error = #expect(throws: FileError.self) { try tiny.load() }
    #expect(error?.description.contains("vocab_size") == true)
  }

  private func withEmbedding(
    _ model: TextToImageModel, _ counts: [String: Int], folder: TinyModel
  ) throws -> TextToImageModel {
    var random = RandomStream(seed: 8)
    let width = model.textEncoder.configuration.hiddenSize
    var tensors: [String: StoredTensor] = [:]
    for (token, count) in counts {
      tensors[token] = StoredTensor(random.normal(count == 1 ? [width] : [count, width]))
    }
    let path = folder.sibling("learned_embeds.safetensors")
    try SafetensorsFile.write(tensors, to: path)
    return try model.adding(TokenEmbedding.read(path: path))
  }

  @Test func embeddingFilesAreRead() throws {
    let folder = try TemporaryFolder()
    var random = RandomStream(seed: 8)
    let (one, two) = (random.normal([16]), random.normal([2, 16]))
    func write(_ tensors: [String: Tensor], _ name: String) throws -> String {
      let path = folder.file(name)
      try SafetensorsFile.write(tensors.mapValues { StoredTensor($0) }, to: path)
      return path
    }
    let diffusers = try write(["<cat>": one], "learned_embeds.safetensors")
    for path in [diffusers, folder.path] {
      let read = try TokenEmbedding.read(path: path)
      #expect(read.map(\.token) == ["<cat>"] && read[0].vectors.shape == [1, 16])
      #expect(read[0].vectors.elements == one.elements)
    }
    #expect(try TokenEmbedding.read(path: diffusers, token: "sks").map(\.token) == ["sks"])
    let other = try TokenEmbedding.read(
      path: write(["emb_params": two], "easynegative.safetensors"))
    #expect(other.map(\.token) == ["easynegative"] && other[0].vectors.shape == [2, 16])

    let numbers = (0..<32).map { Float($0) / 8 }
    let bin = try TokenEmbedding.read(path: Goldens.path("embeddings/learned_embeds.bin"))
    #expect(bin.map(\.token) == ["<cat-toy>"] && bin[0].vectors.shape == [1, 16])
    #expect(bin[0].vectors.elements == Array(numbers[..<16]))
    let style = try TokenEmbedding.read(path: Goldens.path("embeddings/style.pt"))
    #expect(style.map(\.token) == ["my-style"] && style[0].vectors.shape == [2, 16])
    #expect(style[0].vectors.elements == numbers)

    let bad: [([String: Tensor], String?, String)] = [
      (["clip_g": two, "clip_l": two], nil, "two text encoders"),
      (["<a>": one, "<b>": one], "sks", "has 2 tokens"),
      (["a b": one], nil, "is no token"), (["<a>": random.normal([1, 2, 16])], nil, "shape"),
      (["<a>": one * .nan], nil, "not finite"),
    ]
    for (index, (tensors, token, text)) in bad.enumerated() {
      let path = try write(tensors, "\(index).safetensors")
      let error = #expect(throws: FileError.self) {
        try TokenEmbedding.read(path: path, token: token)
      }
      #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
    }
    let model = try TinyModel().load()
    let narrow = try TokenEmbedding.read(path: write(["<n>": random.normal([3])], "n.safetensors"))
    let error = #expect(throws: FileError.self) { try model.adding(narrow) }
    #expect(error?.description.contains("has 3 numbers a vector") == true)
    let taken = try TokenEmbedding.read(
      path: write(
        ["x": random.normal([model.textEncoder.configuration.hiddenSize])], "x.safetensors"))
    #expect(throws: FileError.self) { try model.adding(taken) }
  }
}

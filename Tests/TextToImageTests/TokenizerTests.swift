import Files
import Foundation
import TestSupport
import TextToImage
import Testing

/// Tokens against transformers' CLIPTokenizer on 1,000 strings.
@Suite struct TokenizerTests {
  private struct Tokens: Decodable {
    let plain: [[Int]]
    let exclamationMark: [Int: [Int]]
  }

  private func vocabulary() throws -> BytePairVocabulary {
    try BytePairVocabulary(
      vocabularyPath: Goldens.path("tokenizer/vocab.json"),
      mergesPath: Goldens.path("tokenizer/merges.txt"))
  }

  private func expectEqual(
    _ tokenizer: CLIPTokenizer, _ strings: [String], _ expected: [[Int]],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(strings.count == 1_000 && expected.count == 1_000, sourceLocation: sourceLocation)
    var wrongCount = 0
    for (string, expected) in zip(strings, expected) where tokenizer.tokens(string) != expected {
      wrongCount += 1
      if wrongCount <= 5 {
        Issue.record(
          "'\(string.printable)': \(tokenizer.tokens(string)), expected \(expected)",
          sourceLocation: sourceLocation)
      }
    }
    #expect(wrongCount == 0, sourceLocation: sourceLocation)
  }

  @Test func tokensAreThoseOfTransformers() throws {
    let strings = try Goldens.decode([String].self, "strings.json")
    let tokens = try Goldens.decode(Tokens.self, "tokens.json")
    let vocabulary = try vocabulary()
    expectEqual(CLIPTokenizer(vocabulary: vocabulary), strings, tokens.plain)
    let expected = tokens.plain.enumerated().map { tokens.exclamationMark[$0] ?? $1 }
    #expect(tokens.exclamationMark.count > 50)
    expectEqual(CLIPTokenizer(vocabulary: vocabulary, padding: "!"), strings, expected)
  }

  @Test func publicVocabularyGivesTheSameTokens() throws {
    let test = "the public CLIP vocabulary"
    guard let python = Python(with: ["open_clip"], for: test) else { return }
    let text = try python.run(
      """
      import gzip, importlib.util
      folder = importlib.util.find_spec("open_clip").submodule_search_locations[0]
      data = gzip.open(folder + "/bpe_simple_vocab_16e6.txt.gz").read()
      print(data.decode(), end="")
      """)
    let merges = text.split(separator: "\n").dropFirst().prefix(48_894).map { line in
      let parts = line.split(separator: " ")
      return BytePairVocabulary.Pair(String(parts[0]), String(parts[1]))
    }
    let vocabulary = BytePairVocabulary(merges: Array(merges))
    #expect(vocabulary.identifiers.count == 49_408)
    let tokenizer = CLIPTokenizer(vocabulary: vocabulary)
    #expect(tokenizer.endToken == 49_407)
    expectEqual(
      tokenizer, try Goldens.decode([String].self, "strings.json"),
      try Goldens.decode([[Int]].self, "public.json"))
  }

  @Test func trainingFindsTheMergesOfTheReference() throws {
    let strings = try Goldens.decode([String].self, "strings.json")
    let trained = BytePairVocabulary(trainedOn: strings, size: 1_200)
    let reference = try vocabulary()
    #expect(trained.merges == reference.merges)
    #expect(trained.identifiers == reference.identifiers)
    // Rare pairs stay apart, and there may be fewer tokens than asked for.
    let small = BytePairVocabulary(trainedOn: ["the cat", "the dog"], size: 1_000)
    #expect(small.merges.map { $0.left + $0.right } == ["he</w>", "the</w>"])
  }

  @Test func shortTextsAreFilledUp() throws {
    let vocabulary = try vocabulary()
    let first = CLIPTokenizer(vocabulary: vocabulary).paddedTokens("a cat")
    let second = CLIPTokenizer(vocabulary: vocabulary, padding: "!").paddedTokens("a cat")
    #expect(first.count == 77 && first.last == 1_199)
    #expect(second.count == 77 && second.last == 0)
    #expect(first.prefix(4) == second.prefix(4))
  }

  @Test func whatIsCutIsTold() throws {
    let tokenizer = CLIPTokenizer(vocabulary: try vocabulary(), maximumLength: 5)
    #expect(tokenizer.tokens("a a a").count == 5)
    #expect(tokenizer.rest(of: "a a a") == nil)
    #expect(tokenizer.rest(of: "a a a the knight") == "the knight")
  }

  @Test func tokensBecomeTextAgain() throws {
    let tokenizer = CLIPTokenizer(vocabulary: try vocabulary())
    for text in ["a knight holding a sword , 猫", "", "zzyzx"] {
      #expect(tokenizer.text(tokenizer.paddedTokens(text)) == text)
    }
  }

  @Test func foldersAreReadAndWritten() throws {
    let folder = try TemporaryFolder()
    let tokenizer = CLIPTokenizer(
      vocabulary: try vocabulary(), maximumLength: 16, padding: "!")
    try tokenizer.write(folder: folder.path)
    let read = try CLIPTokenizer(folder: folder.path)
    #expect(read.vocabulary.identifiers == tokenizer.vocabulary.identifiers)
    #expect(read.vocabulary.merges == tokenizer.vocabulary.merges)
    #expect(read.maximumLength == 16 && read.padding == "!" && read.paddingToken == 0)

    // Checked out on Windows, or edited there: other line ends, and a mark at the start.
    let merges = try String(contentsOfFile: folder.file("merges.txt"), encoding: .utf8)
    for text in [
      merges.replacingOccurrences(of: "\n", with: "\r\n"), "\u{FEFF}" + merges,
      String(merges.dropLast()),
    ] {
      try Data(text.utf8).write(to: URL(filePath: folder.file("merges.txt")))
      let same = try CLIPTokenizer(folder: folder.path)
      #expect(same.vocabulary.merges == tokenizer.vocabulary.merges)
      #expect(same.vocabulary.merges.count > 100)
    }

    try Data("he l\n".utf8).write(to: URL(filePath: folder.file("merges.txt")))
    #expect(throws: FileError.self) { try CLIPTokenizer(folder: folder.path) }
    try FileManager.default.removeItem(atPath: folder.file("merges.txt"))
    let error = #expect(throws: FileError.self) { try CLIPTokenizer(folder: folder.path) }
    #expect(error?.description.contains("merges.txt") == true)
  }
}

import Foundation
import Testing

/// Words that were left behind for the field's own (PyTorch, diffusers, Gymnasium, CleanRL, DPPO) stay out
/// of sources, settings, help and docs.
@Suite struct VocabularyTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// Patterns that may not occur, and what to write instead.
  private static let leftBehind: [(pattern: String, instead: String)] = [
    (#"(?i)\bpictures?\b|\w[Pp]icture|\bpicture[A-Z]"#, "image"),
    (#"(?i)\bjudg(e|es|ed|ing|ements?)\b|\w+Judg|\bjudges?[A-Z]"#, "score, evaluate or log-prob"),
    (
      #"\b(least|greatest|most)(?!FiniteMagnitude|NonzeroMagnitude|NormalMagnitude|Frequent)[A-Z]"#,
      "min or max"
    ),
    (#"(?<![Ss]tandard)(?<![Ss]tandard )[Dd]eviations?\b"#, "std, or standard deviation in prose"),
    (#"\b(traceDecay|denoisingDiscount|divergenceLimit)\b"#, "gaeLambda, gammaDenoising, targetKL"),
    (#"\b(cloningCoefficient|cloningLoss)\b"#, "bcLossCoefficient, bcLoss"),
    (#"\baverage(Decay|Start|Interval)\b|\bMovingAverage\b"#, "ema.., ExponentialMovingAverage"),
    (#"\b(fineTuned|decision|observation|prediction|executed)Count\b"#, "..Steps"),
    (#"\b(iteration|epoch)Count\b"#, "iterations, epochs"),
    (#"\bstartsEpisodesAnew\b"#, "resetsEachIteration"),
    (#"(?i)perceptron"#, "MLP"),
    (#"\b[Ff]ilm(s|ed|ing)?\b"#, "video, recorded"),
    (
      #"\b(Contestant|NoisePainter|Yardstick|EpisodeSlot|Rowwise|LimitedSteps)\b"#,
      "the field's name"
    ),
    (#"\bWRONG\b"#, "FAIL"),
    (#"(?i)\b(a|the|its|their|whose|even|covered) shares?\b"#, "fraction, or part"),
    (#"(?<!without )(?<!no )\bsound\b|\bisSound\b"#, "valid or ok"),
  ]

  /// Phrases that messages and docs leave to the field's verbs; comments may keep them.
  private static let leftBehindInMessages: [(pattern: String, instead: String)] = [
    (#"\b(goes|go|going|went) on\b"#, "continue or resume"),
    (#"\b(ask|asks|asked|asking) for\b"#, "request"),
    (#"\bslip\b"#, "did you mean"),
  ]

  private func files(_ folder: String, _ endings: Set<String>) throws -> [URL] {
    let url = Self.root.appendingPathComponent(folder)
    if !url.hasDirectoryPath, endings.contains(url.pathExtension),
      FileManager.default.isReadableFile(atPath: url.path)
    {
      var isDirectory: ObjCBool = false
      FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory)
      if !isDirectory.boolValue { return [url] }
    }
    let found = try #require(
      FileManager.default.enumerator(at: url, includingPropertiesForKeys: nil), "\(folder)")
    return found.compactMap { $0 as? URL }.filter { endings.contains($0.pathExtension) }
  }

  /// The text with wrapped comments joined, so that a phrase is found across lines.
  private func joined(_ text: String) -> String {
    text.replacing(#/\n\s*\/\/\/? ?/#, with: " ")
  }

  /// Foundation's expressions, as Swift's have no lookbehind.
  private func firstMatch(of pattern: String, in text: String) throws -> Range<String.Index>? {
    try NSRegularExpression(pattern: pattern)
      .firstMatch(in: text, range: NSRange(text.startIndex..., in: text))
      .flatMap { Range($0.range, in: text) }
  }

  private func expectNone(
    of patterns: [(pattern: String, instead: String)], in text: String, _ file: URL
  ) throws {
    for (pattern, instead) in patterns {
      guard let found = try firstMatch(of: pattern, in: text) else { continue }
      let start = text.index(found.lowerBound, offsetBy: -40, limitedBy: text.startIndex)
      let end = text.index(found.upperBound, offsetBy: 40, limitedBy: text.endIndex)
      let around = text[(start ?? text.startIndex)..<(end ?? text.endIndex)]
      Issue.record("\(file.lastPathComponent): write \(instead) in '\(around)'")
    }
  }

  @Test func leftWordsAreOut() throws {
    let files =
      try files("Sources", ["swift", "c", "h", "inc", "css", "js", "md"])
      + files("docs", ["md"]) + files("samples", ["yaml", "md", "txt", "py"])
      + files("README.md", ["md"]) + files("CONTRIBUTING.md", ["md"])
      + files("checkpoints/README.md", ["md"])
    #expect(files.count > 200)
    // A format's own words, and the table of names that were left behind.
    let others = ["event.pb.swift", "FormerNames.swift"]
    for file in files where !others.contains(file.lastPathComponent) {
      let text = joined(try String(contentsOf: file, encoding: .utf8))
      try expectNone(of: Self.leftBehind, in: text, file)
    }
  }

  @Test func leftPhrasesAreOutOfMessagesAndDocs() throws {
    let pages = try files("docs", ["md"]) + files("README.md", ["md"]) + files("Sources", ["md"])
    for file in pages {
      try expectNone(
        of: Self.leftBehindInMessages, in: try String(contentsOf: file, encoding: .utf8), file)
    }
    for file in try files("Sources", ["swift"]) {
      let text = try String(contentsOf: file, encoding: .utf8)
        .replacing(#/(?m)^\s*\/\/.*$/#, with: "")
      let strings = text.matches(of: #/"(?:\\.|[^"\\\n])*"/#).map { String(text[$0.range]) }
      try expectNone(
        of: Self.leftBehindInMessages, in: strings.joined(separator: "\n"), file)
    }
  }

  /// The patterns find what they are for.
  @Test(arguments: [
    "a picture", "PictureJudge", "judged", "leastEta", "mostByteCount", "the deviation",
    "traceDecay",
    "predictionCount", "iterationCount", "a perceptron", "filmed", "averageDecay",
    "The share of images", "even shares", "is the prior sound?",
  ]) func patternsFind(_ text: String) throws {
    #expect(
      try Self.leftBehind.contains { try firstMatch(of: $0.pattern, in: text) != nil }, "\(text)")
  }

  /// And leave what is the field's.
  @Test(arguments: [
    "standardDeviation", "the standard deviation", "FiLM", "greatestFiniteMagnitude", "at least 4",
    "mostly", "image", "maxByteCount", "judicious", "rows share it", "~/.local/share/man",
    "a video without sound",
  ]) func patternsLeave(_ text: String) throws {
    #expect(
      try !Self.leftBehind.contains { try firstMatch(of: $0.pattern, in: text) != nil }, "\(text)")
  }
}

/// A text broken into lines that fit under a picture.
struct Caption {
  var lines: [String]

  /// Breaks `text` at spaces, or inside words longer than a line, into at most `lineLimit` lines; a
  /// text that is longer ends in an ellipsis.
  init(_ text: String, width: Int, lineLimit: Int, scale: Int, font: BitmapFont = .standard) {
    func fits(_ line: some StringProtocol) -> Bool { font.width(of: line, scale: scale) <= width }
    var lines: [String] = []
    for paragraph in text.split(omittingEmptySubsequences: true, whereSeparator: \.isNewline) {
      var line = ""
      for word in paragraph.split(whereSeparator: \.isWhitespace) {
        let longer = line.isEmpty ? String(word) : "\(line) \(word)"
        if fits(longer) {
          line = longer
          continue
        }
        if !line.isEmpty { lines.append(line) }
        var rest = word
        while !fits(rest) {
          let part = Caption.longestPrefix(of: rest, where: fits)
          lines.append(String(part))
          rest = rest[part.endIndex...]
        }
        line = String(rest)
      }
      if !line.isEmpty { lines.append(line) }
    }
    if lines.count > lineLimit {
      lines.removeSubrange(lineLimit...)
      let kept = Caption.longestPrefix(of: lines[lineLimit - 1][...]) { fits("\($0)...") }
      let trimmed = kept.last?.isWhitespace == true ? kept.dropLast() : kept
      lines[lineLimit - 1] = "\(trimmed)..."
    }
    self.lines = lines
  }

  /// At least one character, so that a line too narrow for any still ends.
  private static func longestPrefix(
    of text: Substring, where fits: (Substring) -> Bool
  ) -> Substring {
    var end = text.endIndex
    while text.index(after: text.startIndex) < end, !fits(text[..<end]) {
      end = text.index(before: end)
    }
    return text[..<end]
  }
}

/// Cuts a command into words as a shell does, without a shell: spaces part, quotes and backslashes
/// keep together, nothing is expanded.
enum CommandWords {
  static func split(_ text: String) throws(RewardError) -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var isEscaped = false
    for character in text {
      if isEscaped {
        word = (word ?? "") + String(character)
        isEscaped = false
      } else if character == "\\", quote != "'" {
        isEscaped = true
      } else if let open = quote {
        if character == open { quote = nil } else { word = (word ?? "") + String(character) }
      } else if character == "'" || character == "\"" {
        quote = character
        word = word ?? ""
      } else if character.isWhitespace {
        if let finished = word { words.append(finished) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    if let finished = word { words.append(finished) }
    guard quote == nil, !isEscaped, let program = words.first, !program.isEmpty,
      !words.contains(where: { $0.contains("\0") })
    else {
      throw RewardError(
        .expression, reward: "command:'\(text)'", problem: "is not a program and its arguments",
        advice: "are all quotes closed?")
    }
    return words
  }
}

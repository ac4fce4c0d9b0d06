import Foundation

/// Cuts a text into the words that CLIP's byte-pair encoding works on: runs of letters, single
/// digits, runs of anything else that is not space, and the English contractions.
enum CLIPWords {
  /// The words of a text as UTF-8, after normalization.
  static func words(_ text: some StringProtocol) -> [[UInt8]] {
    words(normalized: normalized(text))
  }

  /// A text as words are cut from it: composed (NFC), lower case, spaces in a row as one.
  static func normalized(_ text: some StringProtocol) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    for scalar in lowercased(text) {
      guard kind(scalar) == .space else {
        result.append(scalar)
        continue
      }
      if result.last != " " { result.append(" ") }
    }
    return result
  }

  /// The words of a normalized text as UTF-8.
  static func words(normalized scalars: [Unicode.Scalar]) -> [[UInt8]] {
    var words: [[UInt8]] = []
    var position = 0
    while position < scalars.count {
      let end = wordEnd(scalars, from: position)
      guard end > position else {
        position += 1  // space
        continue
      }
      let word = scalars[position..<end]
      if isMarker(word) {
        // Spelled-out markers are cut once more, at the edges of their letters.
        words += [word.prefix(2), word.dropFirst(2).dropLast(2), word.suffix(2)].map(utf8)
      } else {
        words.append(utf8(word))
      }
      position = end
    }
    return words
  }

  private static func utf8(_ scalars: ArraySlice<Unicode.Scalar>) -> [UInt8] {
    scalars.flatMap { Array(UTF8.encode($0) ?? UTF8.encodedReplacementCharacter) }
  }

  private static func lowercased(_ text: some StringProtocol) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    let isASCII = text.utf8.allSatisfy { $0 < 0x80 }
    let composed = isASCII ? String(text) : text.precomposedStringWithCanonicalMapping
    for scalar in composed.unicodeScalars {
      if scalar.isASCII {
        let isUpper = (65...90).contains(scalar.value)
        result.append(isUpper ? Unicode.Scalar(UInt8(scalar.value) + 32) : scalar)
      } else {
        // One character at a time: a final sigma is not told from others.
        result.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
      }
    }
    return result
  }

  private enum Kind { case letter, number, space, other }

  private static func kind(_ scalar: Unicode.Scalar) -> Kind {
    switch scalar.value {
    case 97...122, 65...90: return .letter
    case 48...57: return .number
    case 9...13, 32: return .space
    case ..<128: return .other
    default: break
    }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return .letter
    case .decimalNumber, .letterNumber, .otherNumber: return .number
    default: return scalar.properties.isWhitespace ? .space : .other
    }
  }

  private static let markers = ["<|startoftext|>", "<|endoftext|>"].map { Array($0.unicodeScalars) }
  private static let contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map {
    Array($0.unicodeScalars)
  }

  private static func isMarker(_ word: ArraySlice<Unicode.Scalar>) -> Bool {
    word.first == "<" && markers.contains { $0.elementsEqual(word) }
  }

  /// Where the word that starts at a position ends; the position itself if there is a space.
  private static func wordEnd(_ scalars: [Unicode.Scalar], from start: Int) -> Int {
    let rest = scalars[start...]
    if scalars[start] == "<" || scalars[start] == "'" {
      let fixed = scalars[start] == "<" ? markers : contractions
      if let match = fixed.first(where: { rest.starts(with: $0) }) { return start + match.count }
    }
    let kind = kind(scalars[start])
    switch kind {
    case .space: return start
    case .number: return start + 1
    case .letter, .other:
      return rest.firstIndex { self.kind($0) != kind } ?? scalars.count
    }
  }
}

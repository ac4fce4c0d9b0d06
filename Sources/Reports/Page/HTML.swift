import Foundation

/// A piece of a page.
///
/// Literals are markup. Texts that are put into them are escaped, so that nothing that a run folder
/// says can become markup; other pieces are put in as they are.
struct HTML: ExpressibleByStringInterpolation, Equatable {
  private(set) var markup: String

  init(markup: String) { self.markup = markup }

  init(stringLiteral value: String) { markup = value }

  init(stringInterpolation: Interpolation) { markup = stringInterpolation.markup }

  static func += (left: inout HTML, right: HTML) { left.markup += right.markup }

  struct Interpolation: StringInterpolationProtocol {
    var markup = ""

    init(literalCapacity: Int, interpolationCount: Int) {
      markup.reserveCapacity(literalCapacity)
    }

    mutating func appendLiteral(_ literal: String) { markup += literal }

    mutating func appendInterpolation(_ text: String) { markup += HTML.escaped(text) }

    mutating func appendInterpolation(_ number: Int) { markup += String(number) }

    mutating func appendInterpolation(_ piece: HTML) { markup += piece.markup }

    /// Nothing for nil.
    mutating func appendInterpolation(_ piece: HTML?) { markup += piece?.markup ?? "" }
  }

  /// The text with all that means something in HTML escaped, in attributes too, and without the
  /// characters that HTML forbids.
  static func escaped(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      case "\u{0}"..<" ", "\u{7F}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
  }

  /// JSON for a script element, whose end no text in it can be taken for.
  static func json(_ value: some Encodable) throws -> HTML {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let text = String(decoding: try encoder.encode(value), as: UTF8.self)
    return HTML(
      markup: text.replacingOccurrences(of: "<", with: "\\u003c")
        .replacingOccurrences(of: "\u{2028}", with: "\\u2028")
        .replacingOccurrences(of: "\u{2029}", with: "\\u2029"))
  }
}

extension Sequence<HTML> {
  /// The pieces one after the other.
  var joined: HTML { HTML(markup: map(\.markup).joined()) }
}

import Foundation
import FoundationXML

/// A page taken apart as a strict reader would: every tag closed, every attribute in quotation
/// marks.
struct PageCheck {
  struct Tag {
    var name: String
    var attributes: [String: String]
  }

  private(set) var tags: [Tag] = []
  /// What is wrong with the page.
  private(set) var problems: [String] = []
  /// The contents of script and style elements, in order.
  private(set) var rawTexts: [String] = []
  /// Each image inside the page, from `<svg` to its end.
  let drawings: [String]

  private static let voidNames: Set<String> = ["meta", "img", "br", "link", "input", "hr"]

  init(_ html: String) {
    drawings = html.matches(of: #/<svg xmlns.*?<\/svg>\n<\/svg>/#.dotMatchesNewlines())
      .map { String($0.output) }
    var rest = html[...]
    var open: [String] = []
    while let start = rest.firstIndex(of: "<") {
      if rest[..<start].contains(">") { problems.append("a '>' stands alone") }
      rest = rest[start...]
      if let match = rest.prefixMatch(of: #/<!doctype html>/#) {
        rest = rest[match.range.upperBound...]
      } else if let match = rest.prefixMatch(of: #/<\/([a-z0-9]+)>/#) {
        let name = String(match.output.1)
        if open.popLast() != name { problems.append("</\(name)> closes nothing") }
        rest = rest[match.range.upperBound...]
      } else if let match = rest.prefixMatch(
        of: #/<([a-z0-9]+)((?:\s+[A-Za-z0-9:-]+(?:="[^"<>]*")?)*)\s*(\/?)>/#)
      {
        let name = String(match.output.1)
        var attributes: [String: String] = [:]
        for part in match.output.2.matches(of: #/([A-Za-z0-9:-]+)(?:="([^"]*)")?/#) {
          attributes[String(part.output.1)] = part.output.2.map(String.init) ?? ""
        }
        tags.append(Tag(name: name, attributes: attributes))
        rest = rest[match.range.upperBound...]
        if name == "script" || name == "style" {
          guard let end = rest.range(of: "</\(name)>") else {
            problems.append("<\(name)> does not end")
            return
          }
          rawTexts.append(String(rest[..<end.lowerBound]))
          rest = rest[end.upperBound...]
        } else if match.output.3.isEmpty, !Self.voidNames.contains(name) {
          open.append(name)
        }
      } else {
        problems.append("not a tag: \(rest.prefix(40))")
        rest = rest.dropFirst()
      }
    }
    if !open.isEmpty { problems.append("never closed: \(open)") }
    for drawing in drawings where !XMLParser(data: Data(drawing.utf8)).parse() {
      problems.append("a drawing is not XML: \(drawing.prefix(80))")
    }
  }

  func count(_ name: String, class className: String? = nil) -> Int {
    tags.count { tag in
      tag.name == name
        && (className.map {
          (tag.attributes["class"] ?? "").split(separator: " ").map(String.init).contains($0)
        } ?? true)
    }
  }

  /// What the page's script shows at the pointer.
  struct HoverData: Decodable {
    struct Curve: Decodable {
      var name: String
      var x: [Int]
      var s: [Int]?
      var y: [Double?]
      var e: [Double?]?
      var plot: [Double]
      var range: [Double]
      var isLogarithmic: Bool
    }
    var noun: String
    var curves: [Curve]
  }

  func hoverData() throws -> HoverData {
    let text = rawTexts.first { $0.hasPrefix("{") } ?? ""
    return try JSONDecoder().decode(HoverData.self, from: Data(text.utf8))
  }
}

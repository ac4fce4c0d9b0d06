import Foundation
import TestSupport

/// The comments above the properties in `Sources`, which is formatted: types are nested by two
/// spaces.
struct SourceComments {
  static let root = URL(filePath: Repository.path(""))

  /// Those of the sources as they are, read once.
  static let current = Result { try SourceComments() }

  /// Comments by `Module.Type.Inner.property`.
  private var comments: [String: String] = [:]

  private init() throws {
    let sources = Self.root.appending(path: "Sources")
    let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
    for case let file as URL in files ?? .init() where file.pathExtension == "swift" {
      let module = file.pathComponents[sources.pathComponents.count]
      read(try String(contentsOf: file, encoding: .utf8), of: module)
    }
  }

  /// How declarations start: @Setting, public, private, final, var, let, struct, enum, class, extension.
  private static let starts = Set("pfvlsec@".utf8)

  /// The comment above a property of a type, as `String(reflecting:)` calls it.
  func comment(on property: String, in type: String) -> String? {
    comments["\(type).\(property)"]
  }

  private mutating func read(_ text: String, of module: String) {
    var types: [String] = []
    var comment: [String] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let depth = line.prefix { $0 == " " }.count / 2
      let words = line.drop { $0 == " " }
      if words.hasPrefix("///") {
        comment.append(words.dropFirst(3).trimmingCharacters(in: .whitespaces))
        continue
      }
      // A wrapper on a line of its own.
      if words.hasPrefix("@Setting("), !words.contains(" var ") { continue }
      defer { comment = [] }
      // Patterns are slow, and most lines are neither.
      guard depth <= types.count, let first = words.utf8.first, Self.starts.contains(first) else {
        continue
      }
      if let type = words.firstMatch(
        of: #/^(?:(?:public|private|fileprivate|final) )*(?:struct|enum|class|extension) ([\w.]+)/#)
      {
        types = Array(types.prefix(depth)) + [String(type.output.1)]
      } else if !comment.isEmpty,
        let property = words.firstMatch(
          of: #/^(?:@Setting\(.*\) )?(?:(?:public|private|private\(set\)) )*(?:var|let) (\w+)/#)
      {
        // The first paragraph says what it is; the others are for readers of the code.
        let summary = comment.prefix { !$0.isEmpty }.joined(separator: " ")
        let path = [module] + types.prefix(depth) + [String(property.output.1)]
        comments[path.joined(separator: ".")] = summary
      }
    }
  }
}

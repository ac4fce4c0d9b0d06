/// Finds what somebody probably meant to write.
enum NearestName {
  /// The candidate with the fewest edits, if they are few for the length of the name.
  static func of(_ name: String, among candidates: [String]) -> String? {
    let scored = candidates.map { (candidate: $0, distance: distance(name, $0)) }
    guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= max(2, name.count / 2) ? best.candidate : nil
  }

  /// Levenshtein's count of insertions, deletions and replacements, letter case and dashes aside.
  private static func distance(_ first: String, _ second: String) -> Int {
    let (a, b) = (letters(first), letters(second))
    var row = Array(0...b.count)
    for (i, letter) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, other) in b.enumerated() {
        let replaced = diagonal + (letter == other ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
      }
    }
    return row[b.count]
  }

  private static func letters(_ name: String) -> [Character] {
    name.lowercased().filter { $0 != "-" && $0 != "_" }
  }
}

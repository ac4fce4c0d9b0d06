extension String {
  /// The candidate that needs the fewest edits to become this text, if few enough to be a slip.
  public func nearest(among candidates: [String]) -> String? {
    let most = max(2, count / 4)
    var best: (candidate: String, distance: Int)?
    // Long lists and names are not worth quadratic work in an error message.
    for candidate in candidates.prefix(2_000) where abs(candidate.count - count) <= most {
      guard candidate.count <= 200 else { continue }
      let distance = editDistance(Array(utf8), Array(candidate.utf8))
      if distance <= most, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.candidate
  }
}

private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var row = Array(0...b.count)
  for (i, byte) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, other) in b.enumerated() {
      let substitution = diagonal + (byte == other ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(substitution, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}

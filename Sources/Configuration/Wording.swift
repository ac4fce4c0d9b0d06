extension String {
  /// The candidate that needs the fewest edits to become this text, letter case and dashes aside,
  /// if few enough to be a slip.
  public func nearest(among candidates: [String]) -> String? {
    let own = letters
    let limit = max(2, own.count / 4)
    var best: (candidate: String, distance: Int)?
    // Long lists and names are not worth quadratic work in an error message.
    for candidate in candidates.prefix(2_000) where candidate.utf8.count <= 200 {
      let other = candidate.letters
      guard abs(other.count - own.count) <= limit else { continue }
      let distance = editDistance(own, other)
      if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.candidate
  }

  /// What is compared: a slip in `Half_Cheetah` or `batchsize` is none in the word itself.
  private var letters: [UInt8] {
    lowercased().utf8.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "_") }
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

extension String {
  /// The text as it may be shown on a terminal: control characters and characters that reorder or
  /// hide text become escapes, and long text is cut.
  public var printable: String { printable(limit: 1_000) }

  package func printable(limit: Int) -> String {
    var shown = ""
    var count = 0
    for scalar in unicodeScalars {
      count += 1
      if count > limit { return shown + "..." }
      if scalar.isSafe {
        shown.unicodeScalars.append(scalar)
      } else {
        shown += "\\u{\(String(scalar.value, radix: 16))}"
      }
    }
    return shown
  }
}

extension Unicode.Scalar {
  fileprivate var isSafe: Bool {
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator:
      false
    default: true
    }
  }
}

extension String {
  /// The text as it may be shown on a terminal: control characters and characters that reorder or
  /// hide text become escapes, and long text is cut.
  public var printable: String { printable(most: 1_000) }

  func printable(most: Int) -> String {
    var shown = ""
    var count = 0
    for scalar in unicodeScalars {
      count += 1
      if count > most { return shown + "..." }
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

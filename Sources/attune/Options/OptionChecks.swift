import ArgumentParser

/// Checks the path that an option gives.
func validatePath(_ path: String, of option: String) throws {
  if path.isEmpty { throw ValidationError("--\(option) is empty, expected a path") }
}

/// Checks the path of a file to write, whose ending says what it is.
func validateOutput(_ path: String, of option: String = "output", ending: String) throws {
  try validatePath(path, of: option)
  guard path.lowercased().hasSuffix(ending) else {
    throw ValidationError("--\(option) must end in \(ending), not '\(path)'")
  }
}

/// Checks the number that an option gives.
func validateRange(_ option: String, _ number: Int, _ range: ClosedRange<Int>) throws {
  guard range.contains(number) else {
    throw ValidationError(
      "--\(option) is \(number), expected \(range.lowerBound) to \(range.upperBound)")
  }
}

/// Checks `--guidance`.
func validateGuidance(_ guidance: Float) throws {
  guard (0...1_000).contains(guidance) else {
    throw ValidationError("--guidance is \(guidance), expected 0 to 1000")
  }
}

/// Checks `--time-limit`.
func validateTimeLimit(_ seconds: Double) throws {
  guard seconds > 0, seconds <= 1e6 else {
    throw ValidationError("--time-limit is \(seconds), expected seconds above 0")
  }
}

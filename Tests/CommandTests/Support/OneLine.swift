import TestSupport
import Testing

/// A command failed as one should: status 1, and a line or two with what happened and what to do.
func expectOneLine(
  _ outcome: ProgramOutcome, _ words: String..., status: Int32 = 1,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(outcome.status == status, "\(outcome.output)", sourceLocation: sourceLocation)
  #expect(
    (1...2).contains(outcome.lines.count), "\(outcome.output)", sourceLocation: sourceLocation)
  #expect(
    outcome.standardError.hasPrefix("attune: "), "\(outcome.output)",
    sourceLocation: sourceLocation)
  for word in words {
    #expect(
      outcome.standardError.contains(word), "\(outcome.output)", sourceLocation: sourceLocation)
  }
}

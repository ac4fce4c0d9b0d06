import Environments
import Tensors
import Testing

@testable import DiffusionPolicies

/// Files that were normalized before they were written.
@Suite struct NormalizedFileTests {
  /// Two states, of which one may be constant, and an action, as DPPO's scripts normalize them.
  private func demonstrations(
    low: Float = -1, high: Float = 1, constant: Float? = -1, action: Float = 1
  ) -> Demonstrations {
    var result = DemonstrationGoldens.counting(lengths: [3, 3])
    let values = [low, 0, high, 0.2, -0.3, 0.1]
    result.actions = [-1, 0, 0.5, action, 0, 0]
    guard let constant else {
      result.states = values
      return result
    }
    var wide = Demonstrations(stateSize: 2, actionSize: 1)
    wide.states = values.flatMap { [$0, constant] }
    wide.actions = result.actions
    wide.terminals = result.terminals
    wide.lengths = result.lengths
    return wide
  }

  private func read(
    _ demonstrations: Demonstrations,
    _ change: (inout DemonstrationConfiguration) throws -> Void = { _ in }
  ) throws -> Demonstrations {
    var settings = DemonstrationConfiguration()
    settings.path = try DemonstrationGoldens.temporary("demonstrations.npz")
    try demonstrations.write(to: settings.path)
    try change(&settings)
    return try settings.read(for: EnvironmentConfiguration())
  }

  @Test func normalizedFilesNeedAWord() throws {
    // What 2 (x - min) / (max - min + 1e-6) - 1 makes of a range of 0.001.
    for normalized in [demonstrations(), demonstrations(high: 0.998, constant: nil)] {
      let error = #expect(throws: DemonstrationError.self) { try read(normalized) }
      let text = "\(try #require(error))"
      #expect(text.contains("demonstrations.normalization=normalization.npz"))
      #expect(text.contains("demonstrations.normalization=none"))
      let raw = try read(normalized) { $0.normalization = "none" }
      #expect(raw.states == normalized.states && raw.actions == normalized.actions)
      // The first episode alone touches no upper end of the actions.
      #expect(throws: DemonstrationError.self) { try read(normalized) { $0.episodeLimit = 1 } }
    }
  }

  @Test func filesInTheirOwnUnitsAreRead() throws {
    let own = [
      demonstrations(low: -0.9), demonstrations(high: 0.9), demonstrations(high: 1.1),
      demonstrations(constant: 0.5), demonstrations(action: 0.8), demonstrations(action: 2),
    ]
    for own in own { #expect(try read(own).states == own.states) }
  }

  @Test func rangesOfAFileInItsOwnUnitsAreDoubted() throws {
    let own = demonstrations(low: -7, high: 5)
    let read = try read(own) {
      $0.normalization = try DemonstrationGoldens.temporary("normalization.npz")
      try DemonstrationNormalization(of: own).write(to: $0.normalization)
    }
    #expect(read.notes.contains { $0.hasPrefix("2 of its numbers lie outside of [-1, 1]") })
  }
}

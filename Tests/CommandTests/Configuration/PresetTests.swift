import Foundation
import Runs
import TestSupport
import Testing
import Training

@testable import attune

/// The settings in `samples/` are those of one command each, and valid.
@Suite struct PresetTests {
  private static let folder = Repository.path("samples")

  private static var presets: [String] {
    get throws {
      try FileManager.default.subpathsOfDirectory(atPath: folder)
        .filter { $0.hasSuffix(".yaml") }.sorted()
    }
  }

  private func isValid(_ path: String, for type: any RunConfiguration.Type) -> Bool {
    // FIND's presets are of no prompt; --prompt names one.
    let overrides = type == NoiseOptimizationSettings.self ? ["prompts=[an elf]"] : []
    return (try? type.load(from: "\(Self.folder)/\(path)", overrides: overrides)) != nil
  }

  @Test(arguments: try Self.presets) func belongsToOneCommand(_ path: String) {
    let commands = CommandSettings.all.filter { isValid(path, for: $0.type) }.map(\.command)
    #expect(commands.count == 1, "\(path): \(commands)")
  }

  @Test func everyCommandHasAPreset() throws {
    for entry in CommandSettings.all {
      #expect(try Self.presets.contains { isValid($0, for: entry.type) }, "\(entry.command)")
    }
  }
}

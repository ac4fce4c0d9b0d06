import Foundation
import Testing

/// `docs/configuration.md` is what the code says.
@Suite struct ConfigurationReferenceTests {
  @Test func documentIsUpToDate() throws {
    let text = try ConfigurationReference().text()
    let document = SourceComments.root.appending(path: "docs/configuration.md")
    if ProcessInfo.processInfo.environment["ATTUNE_WRITE_REFERENCE"] != nil {
      try Data(text.utf8).write(to: document)
    }
    let found = (try? String(contentsOf: document, encoding: .utf8)) ?? ""
    let lines = found.split(separator: "\n")
    let missing = text.split(separator: "\n").first { !lines.contains($0) } ?? ""
    #expect(
      found == text,
      "docs/configuration.md is stale, run 'make configuration-reference'; it lacks: \(missing)")
  }

  @Test(arguments: CommandSettings.all.map(\.command))
  func everySettingHasAMeaning(_ command: String) throws {
    let settings = try #require(CommandSettings.all.first { $0.command == command })
    let reference = try ConfigurationReference()
    let descriptions = try settings.descriptions
    #expect(descriptions.count > 5)
    for setting in descriptions where reference.meaning(of: setting) == nil {
      Issue.record("'\(setting.key)' has no comment above it")
    }
  }
}

import Foundation
import TestSupport

/// A command with what it takes, as ArgumentParser describes it.
struct CommandDescription: Decodable {
  struct Argument: Decodable {
    struct Name: Decodable {
      let name: String
    }

    /// option, flag or positional
    let kind: String
    let preferredName: Name?
    let names: [Name]?
    /// Its help.
    let abstract: String?
  }

  let commandName: String
  let arguments: [Argument]?
  let subcommands: [CommandDescription]?

  /// The program itself.
  static func program() throws -> CommandDescription {
    struct Dump: Decodable { let command: CommandDescription }
    let outcome = try Attune.run(["--experimental-dump-help"])
    return try JSONDecoder().decode(Dump.self, from: Data(outcome.standardOutput.utf8)).command
  }

  /// This command and all below it, each with the words that call it.
  func all(_ words: [String] = []) -> [(words: [String], command: CommandDescription)] {
    let inner = (subcommands ?? []).filter { $0.commandName != "help" }
    return [(words, self)] + inner.flatMap { $0.all(words + [$0.commandName]) }
  }

  /// Whether it does something itself.
  var isLeaf: Bool { subcommands?.contains { $0.commandName != "help" } != true }

  /// The names of the options that take a value.
  var options: [String] {
    (arguments ?? []).filter { $0.kind == "option" }.compactMap(\.preferredName?.name)
  }
}

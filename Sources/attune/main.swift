import ArgumentParser

struct Attune: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attune", subcommands: [ImageCommand.self])
}

Attune.main()

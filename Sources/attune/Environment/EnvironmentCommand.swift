import ArgumentParser
import Environments

/// `attune environment`: what there is to act in.
struct EnvironmentCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "environment",
    abstract: "Lists, checks and draws simulated environments.",
    discussion: """
      Example:
        attune environment list
        attune environment check hopper version=v5
        attune environment render push-t --output push-t.mp4
      """,
    subcommands: [
      EnvironmentListCommand.self, EnvironmentCheckCommand.self, EnvironmentRenderCommand.self,
    ])
}

/// What the commands about one environment share.
struct EnvironmentSelection: ParsableArguments {
  @Argument(
    help: "The environment's name, as 'attune environment list' shows it.",
    completion: .list(EnvironmentRegistry.standard.entries.map(\.name)))
  var name: String

  @OptionGroup var arguments: EnvironmentArguments

  @Option(help: "The seed of the first episode.")
  var seed: UInt64 = 0

  /// Makes the environment.
  func make() throws -> any Environment {
    try EnvironmentRegistry.standard.make(name, try arguments.values())
  }
}

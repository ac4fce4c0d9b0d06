import ArgumentParser

/// `attune policy`: policies for robots.
struct PolicyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy",
    abstract: "Collects demonstrations of policies.",
    discussion: """
      Example:
        attune policy collect --environment hopper --policy sac-hopper.safetensors \\
          --episodes 100 --output hopper.npz
      """,
    subcommands: [PolicyCollectCommand.self])
}

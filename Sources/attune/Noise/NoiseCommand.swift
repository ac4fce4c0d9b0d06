import ArgumentParser

/// `attune noise`: learn where a model's pictures should start from.
struct NoiseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "noise",
    abstract: "Learn the initial noise that makes a model draw what was asked (FIND).",
    subcommands: [NoiseOptimizeCommand.self, NoiseEvaluateCommand.self])
}

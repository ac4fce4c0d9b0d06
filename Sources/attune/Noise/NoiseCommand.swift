import ArgumentParser

/// `attune noise`: learn where a model's images should start from.
struct NoiseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "noise",
    abstract: "Learn the initial noise that makes a model draw what was asked (FIND).",
    discussion: """
      Example:
        attune noise optimize --model checkpoints/dolls --reward png-size \\
          --prompt "an elf in a red robe" --output runs/elf
        attune noise evaluate --model checkpoints/dolls --reward png-size \\
          --prior runs/elf/prior.safetensors
      """,
    subcommands: [NoiseOptimizeCommand.self, NoiseEvaluateCommand.self])
}

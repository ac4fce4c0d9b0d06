import ArgumentParser

/// `attune reward`: rewards of images.
struct RewardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reward",
    abstract: "Train and apply rewards of images.",
    discussion: """
      Example:
        attune reward train --config samples/rewards/clip.yaml --output runs/clip
        attune reward score --reward clip --clip runs/clip/model \\
          --prompt "an elf in a red robe" image.png
      """,
    subcommands: [RewardTrainCommand.self, RewardScoreCommand.self])
}

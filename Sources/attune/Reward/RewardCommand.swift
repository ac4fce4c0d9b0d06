import ArgumentParser

/// `attune reward`: judges of pictures.
struct RewardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reward",
    abstract: "Trains judges of pictures, and asks them.",
    discussion: """
      Example:
        attune reward train --config samples/rewards/clip.yaml --output runs/clip
        attune reward score --reward clip --clip runs/clip/model \\
          --prompt "an elf in a red robe" picture.png
      """,
    subcommands: [RewardTrainCommand.self, RewardScoreCommand.self])
}

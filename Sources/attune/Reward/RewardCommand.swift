import ArgumentParser
import Training

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

/// `attune reward train --config FILE.yaml [--kind clip|classifier] [--output RUN] [--resume RUN]`
struct RewardTrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a CLIP model or an attribute classifier on paper dolls.",
    discussion: """
      The run folder gets checkpoints, metrics and TensorBoard events, and the folder model/: a \
      CLIPModel in the layout of transformers, or a classifier.

      Examples:
        attune reward train --config samples/rewards/clip.yaml --output runs/clip
        attune reward train --config samples/rewards/classifier.yaml \\
          classifier.hiddenSize=128
        attune reward train --resume runs/clip
      """)

  @Option(
    help: "The kind of model, clip or classifier, in place of that of the settings.",
    completion: .list(["clip", "classifier"]))
  var kind: String?

  @OptionGroup var options: TrainingOptions

  func run() throws {
    var options = options
    if let kind { options.overrides.append(override("kind", text: kind)) }
    let run = try options.open(
      RewardTrainingSettings.self, command: "reward train", named: "reward")
    try options.train(RewardTrainingJob(run))
  }
}

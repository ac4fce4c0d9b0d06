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
struct RewardTrainCommand: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a CLIP model on captioned images, or an attribute classifier on dolls.",
    discussion: """
      A CLIP model learns from paper dolls (dolls.folder) or from captioned images of your own \
      (data.path): a folder of PNG files with metadata.jsonl, metadata.csv, captions.tsv or a .txt \
      file beside each, or an npz file. A classifier needs the catalogue of dolls. The run folder \
      gets checkpoints, metrics and TensorBoard events, and the folder model/: a CLIPModel in the layout \
      of transformers, or a classifier.

      Examples:
        attune reward train --config samples/rewards/clip.yaml --output runs/clip
        attune reward train --config samples/rewards/classifier.yaml \\
          classifier.hiddenSize=128
        attune reward train --config photos.yaml --output runs/photos \\
          data.path=photos data.size=64 clip.patchSize=8
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
    try options.train(run) { try RewardTrainingJob($0) }
  }
}

import ArgumentParser
import Training

/// `attune image train --config FILE.yaml [--output RUN] [key.path=value ...]`
struct ImageTrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a text-to-image model on captioned images.",
    discussion: """
      The run folder gets checkpoints, metrics, TensorBoard events and sample grids, and the model \
      with averaged weights in model/, in the layout of diffusers.

      Examples:
        attune image train --config samples/dolls/train.yaml data.path=dolls
        attune image train --config samples/dolls/train.yaml --output runs/dolls \\
          seed=1
        attune image train --resume runs/dolls
      """)

  @OptionGroup var options: TrainingOptions

  func run() throws {
    let run = try options.open(
      ImageTrainingSettings.self, command: "image train", named: "image-train")
    try options.train(ImageTrainingJob(run))
  }
}

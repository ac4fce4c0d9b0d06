import ArgumentParser
import Training

/// `attune video`: work with clips.
struct VideoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "video",
    abstract: "Train, sample and evaluate text-to-video models.",
    discussion: """
      Example:
        attune video train --config samples/sprites/train.yaml data.path=sprites \\
          --output runs/sprites
        attune video sample --model runs/sprites/model \\
          --prompt "a green orc, walking to the left" --output orc.mp4
      """,
    subcommands: [VideoTrainCommand.self, VideoSampleCommand.self, VideoEvaluateCommand.self])
}

/// `attune video train --config FILE.yaml [--output RUN] [key.path=value ...]`
struct VideoTrainCommand: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a text-to-video model on captioned clips.",
    discussion: """
      The run folder gets checkpoints, metrics, TensorBoard events, sample grids that play in \
      videos/ and lie still in images/, and the model with averaged weights in model/, in the layout \
      of diffusers. A model that the training starts from (model.folder) may be ModelScope's kind or \
      AnimateDiff's; a new one is of ModelScope's kind.

      Examples:
        attune video train --config samples/sprites/train.yaml data.path=sprites
        attune video train --config samples/sprites/train.yaml \\
          --output runs/sprites model.folder=runs/first/model
        attune video train --resume runs/sprites
      """)

  @OptionGroup var added: AddedPartsOptions

  @OptionGroup var options: TrainingOptions

  func run() throws {
    var options = options
    options.overrides += added.overrides(in: "model")
    let run = try options.open(
      VideoTrainingSettings.self, command: "video train", named: "video-train")
    try options.train(run) { try VideoTrainingJob.job($0) }
  }
}

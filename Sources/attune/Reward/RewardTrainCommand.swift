import ArgumentParser
import Rewards
import Runs

/// `attune reward train --config FILE.yaml [--kind clip|classifier] [--output RUN] [--resume RUN]`
struct RewardTrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Trains a CLIP model or an attribute classifier on paper dolls.",
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
    help: "What to train, clip or classifier, in place of that of the settings.",
    completion: .list(["clip", "classifier"]))
  var kind: String?

  @OptionGroup var options: TrainingOptions

  func run() throws {
    var options = options
    if let kind { options.overrides.append(override("kind", text: kind)) }
    let run = try options.open(RewardTrainSettings.self, command: "reward train", named: "reward")
    if let input = try RunInput(
      key: "dolls.folder", contentsOf: run.configuration.dolls.folder)
    {
      try run.require([input])
    }
    let training = try run.configuration.makeTraining()
    if let resumed = run.resumed { try training.restore(resumed.rewardTrainingState) }
    run.log.say(
      "\(run.configuration.kind.rawValue) of \(training.parameterCount.counting("weight")), "
        + "run folder \(run.folder.path)")
    try TrainingLoop(unit: "step", isQuiet: options.quiet)
      .train(RewardTrainWork(run: run, training: training))
  }
}

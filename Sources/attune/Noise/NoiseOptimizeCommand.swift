import ArgumentParser
import Files
import InitialNoise
import NeuralNetworks
import Rewards
import Runs
import Tensors
import TextToImage

/// `attune noise optimize --model DIR --prompt TEXT --reward NAME [--output RUN] [key.path=value ...]`
struct NoiseOptimizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "optimize",
    abstract: "Learns, for each prompt, the initial noise that a reward likes (FIND).",
    discussion: """
      The model is left as it is. The run folder gets prior.safetensors (prior-1.safetensors and so \
      on for several prompts), metrics, TensorBoard events, the reward curve, and grids before and \
      after from the same fresh seeds, all in images/.

      Examples:
        attune noise optimize --model checkpoints/dolls --reward clip --clip checkpoints/dolls-clip \\
          --prompt "a kobold in a yellow robe, holding a black staff and a blue book"
        attune noise optimize --model checkpoints/dolls --prompt "an elf in a red robe" \\
          --reward command:'python3 judge.py' --iterations 32 find.stepSize=0.2
        attune noise optimize --config samples/find/find.yaml --prompt "a red orc" --output runs/orc
        attune noise optimize --resume runs/orc
        attune image sample --model checkpoints/dolls --prompt "an elf in a red robe" \\
          --prior runs/elf/prior.safetensors --output elves.png
      """)

  @Option(help: "A YAML file of settings; those it leaves out keep their defaults.")
  var config: String?

  @Option(help: "The model folder, in the layout of diffusers.")
  var model: String?

  @Option(name: .customLong("prompt"), help: "What to draw; may be given again for more prompts.")
  var prompts: [String] = []

  @Option(help: "The reward, or a weighted sum; see attune reward score --help.")
  var reward: String?

  @Option(help: "The folder of the CLIP model, for rewards that need one.")
  var clip: String?

  @Option(help: "The most iterations; 16 unless given, of 16 pictures each.")
  var iterations: Int?

  @Option(name: .shortAndLong, help: "The run folder to make; runs/NAME-DATE unless given.")
  var output: String?

  @Option(help: "The folder of a run to go on with, exactly where its last checkpoint was.")
  var resume: String?

  @Option(help: "The seed, in place of that of the settings.")
  var seed: UInt64?

  @Option(help: "Threads to use; all processors unless given. Results do not depend on it.")
  var threads: Int?

  @Flag(help: "Say nothing but warnings and errors.")
  var quiet = false

  @Argument(help: "Settings in place of the file's: key.path=value.")
  var overrides: [String] = []

  func validate() throws {
    try validateThreads(threads)
    if resume != nil {
      if config != nil || output != nil || model != nil || !prompts.isEmpty || reward != nil {
        throw ValidationError(
          "--resume goes on with a run as it was configured; --iterations and key.path=value may "
            + "follow it")
      }
    } else if config == nil {
      if model == nil { throw ValidationError("give --model, the folder of the model") }
      if prompts.isEmpty { throw ValidationError("give at least one --prompt") }
      if reward == nil {
        throw ValidationError("give --reward, such as clip or command:'PROGRAM ARGS'")
      }
    }
  }

  func run() throws {
    if let threads { WorkerPool.shared.threadCount = threads }
    let run = try open()
    let settings = run.configuration
    let judge = try RewardExpression(settings.reward).reward(
      clipFolder: settings.clip, timeLimit: settings.rewardTimeLimit)
    let pipeline = try TextToImagePipeline(folder: settings.model)
    try NoiseOptimizeLoop(run: run, pipeline: pipeline, judge: judge, isQuiet: quiet).optimize()
  }

  private func open() throws -> Run<NoiseOptimizeSettings> {
    var settings = overrides
    if let seed { settings.append("seed=\(seed)") }
    if let iterations { settings.append("find.iterationCount=\(iterations)") }
    let log = RunLog(isQuiet: quiet)
    if let resume { return try Run.resume(at: resume, overrides: settings, log: log) }
    // Flags come last: they are what the user typed by name.
    let flags: [(key: String, value: String?)] = [
      ("model", model), ("reward", reward), ("clip", clip),
    ]
    for (key, value) in flags {
      if let value { settings.append("\(key)=\(value.asYAML)") }
    }
    if !prompts.isEmpty {
      settings.append("prompts=[\(prompts.map(\.asYAML).joined(separator: ", "))]")
    }
    return try Run.start(
      at: output ?? RunFolder.defaultPath(named: "noise"),
      configuration: try NoiseOptimizeSettings.load(from: config, overrides: settings), log: log)
  }
}

extension String {
  /// The text in quotes, as YAML and JSON read it.
  var asYAML: String { JSONValue.string(self).text }
}

import ArgumentParser
import GenerativeModels
import TextToImage
import Training

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

/// `attune noise optimize --model DIR --prompt TEXT --reward NAME [--output RUN] [key.path=value
/// ...]`
struct NoiseOptimizeCommand: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "optimize",
    abstract: "Learn, for each prompt, the initial noise that a reward likes (FIND).",
    discussion: """
      The model is left as it is. The run folder gets prior.safetensors (prior-1.safetensors and so \
      on for several prompts), metrics, TensorBoard events, the reward curve, and grids before and \
      after from the same fresh seeds, all in images/.

      Examples:
        attune noise optimize --model checkpoints/dolls --reward clip \\
          --clip checkpoints/dolls-clip --prompt "a kobold in a yellow robe"
        attune noise optimize --model checkpoints/dolls --iterations 32 \\
          --prompt "an elf in a red robe" --output runs/elf \\
          --reward command:'python3 score.py' find.stepSize=0.2
        attune noise optimize --config samples/find/find.yaml \\
          --prompt "an orc with a helmet" --output runs/orc
        attune noise optimize --resume runs/orc
        attune image sample --model checkpoints/dolls \\
          --prompt "an elf in a red robe" \\
          --prior runs/elf/prior.safetensors --output elves.png
      """)

  @OptionGroup var rewarded: RewardedModelOptions

  @Option(help: "The maximum number of iterations; 16 unless given, of 16 images each.")
  var iterations: Int?

  @Option(help: "The sampler: \(SamplerKind.names); that of the settings unless given.")
  var sampler: SamplerKind?

  @OptionGroup var drawing: DrawingOptions

  @OptionGroup var options: TrainingOptions

  func run() throws {
    var options = options
    options.overrides += rewarded.overrides + drawing.overrides
    if let sampler { options.overrides.append("sampling.sampler=\(sampler.rawValue)") }
    if let iterations { options.overrides.append("find.iterations=\(iterations)") }
    let run = try options.open(
      NoiseOptimizationSettings.self, command: "noise optimize", named: "noise",
      needsFile: rewarded.model == nil, sumsGradients: false)
    try options.train(run) { try NoiseOptimizationJob($0) }
  }
}

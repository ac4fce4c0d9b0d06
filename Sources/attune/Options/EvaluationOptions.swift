import ArgumentParser
import Diffusion
import GenerativeModels
import Media
import Runs
import Tensors
import TextToImage

/// What `image evaluate` and `video evaluate` have in common.
struct EvaluationOptions: ParsableArguments {
  @Option(help: "The model folder, in the layout of diffusers.", completion: .directory)
  var model: String

  @Flag(help: "Put a held-out pair of items in each random caption.")
  var heldOut = false

  @Flag(help: "Print the random captions, and draw nothing.")
  var list = false

  @Option(
    name: .customLong("prompt"),
    help: "A prompt in place of random captions; may be given again for more.")
  var givenPrompts: [String] = []

  @Option(
    name: .customLong("prompts"),
    help: "A text file of such prompts, one a line; lines that begin with # are comments.",
    completion: .file())
  var promptFile: String?

  @Option(
    help: """
      The seed of prompts and noise; none that a training drew with another. -1 for a random one.
      """)
  var seed: UInt64 = 1_000_000

  @Option(help: "The sampler: \(SamplerKind.names); the model's own unless given.")
  var sampler: SamplerKind?

  @OptionGroup var drawing: DrawingOptions

  @OptionGroup var computing: ComputingOptions

  @Flag(help: "Report as JSON on standard output.")
  var json = false

  @Flag(help: "Print warnings and errors only.")
  var quiet = false

  func validate() throws {
    try validateForRandomCaptions("--held-out", heldOut)
    try validateForRandomCaptions("--list", list)
  }

  /// Refuses a flag about random captions where prompts are given.
  func validateForRandomCaptions(_ flag: String, _ isGiven: Bool) throws {
    guard isGiven, promptFile != nil || !givenPrompts.isEmpty else { return }
    throw ValidationError("\(flag) is for random captions; leave it out with --prompt")
  }

  /// The prompts that were given; none for random captions.
  var prompts: [String] {
    get throws { givenPrompts + (try promptFile.map(PromptFile.init)?.prompts ?? []) }
  }

  /// How samples are drawn.
  func settings(steps: Int, guidance: Float, batch: Int) -> GenerationSettings {
    var settings = GenerationSettings()
    settings.stepCount = steps
    settings.guidance = Guidance(scale: guidance)
    settings.sampler = sampler
    drawing.apply(to: &settings)
    settings.batchSize = batch
    return settings
  }

  /// Draws one of each prompt, with the seeds that follow `seed`, batch by batch.
  ///
  /// - Parameters:
  ///   - communicator: divides the work.
  ///   - progress: called with the number drawn so far.
  ///   - look: called with each batch and its prompts.
  func draw(
    _ prompts: [String], with pipeline: some PromptedPipeline, _ settings: GenerationSettings,
    over communicator: any Communicator, progress: (Int) -> Void,
    look: (_ media: [Media], _ prompts: [String]) throws -> Void
  ) throws {
    let size = settings.batchSize * communicator.processCount
    for start in stride(from: 0, to: prompts.count, by: size) {
      let range = start..<min(prompts.count, start + size)
      let media = try pipeline.generate(
        prompts: Array(prompts[range]), seeds: range.map { seed &+ UInt64($0) },
        settings: settings, over: communicator)
      try look(media, Array(prompts[range]))
      progress(range.upperBound)
    }
  }

  /// Shows how far `body` has come, which tells by its argument.
  func measureProgress<Result>(
    of total: Int, unit: String, _ body: ((Int) -> Void) throws -> Result
  ) rethrows -> Result {
    var bar = ProgressBar("evaluate", total: total, unit: unit, isQuiet: quiet)
    return try body { bar.update($0) }
  }

  /// A report on each prompt, drawn `count` times.
  func each<Report>(
    of prompts: [String], count: Int, unit: String,
    _ report: (_ prompt: String, _ copies: [String], _ progress: (Int) -> Void) throws -> Report
  ) rethrows -> [Report] {
    var bar = ProgressBar(
      "evaluate", total: prompts.count * count, unit: unit, isQuiet: quiet)
    return try prompts.enumerated().map { index, prompt in
      try report(prompt, [String](repeating: prompt, count: count)) {
        bar.update(index * count + $0)
      }
    }
  }
}

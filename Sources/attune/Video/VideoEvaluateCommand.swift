import ArgumentParser
import CaptionedMedia
import Diffusion
import GenerativeModels
import Media
import ReinforcementLearning
import Rewards
import Runs
import TextToImage
import TextToVideo
import Training

/// `attune video evaluate --model DIR --sprites DIR [--look DIR --motion DIR] [--prompts FILE]
/// [--count 400] [--json]`
struct VideoEvaluateCommand: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Evaluate how often a model of sprites shows what the prompts request.",
    discussion: """
      Draws one clip of each of many random captions, from the distribution that the model was \
      trained on or with a held-out pair in each, and asks classifiers of looks and of motion for \
      everything mentioned. Clips are also compared with what the sheets themselves paint. Beside \
      the model's numbers stand those of the painted clips of the same captions: what the classifiers \
      make of a faultless one. With --prompt or --prompts, draws several clips of each of these \
      prompts instead, and reports on each: how a prompt is found that the model often misses, but \
      not always.

      Examples:
        attune video evaluate --model runs/sprites/model --sprites sprites \\
          --look runs/look/model --motion runs/motion/model
        attune video evaluate --model runs/sprites/model --sprites sprites \\
          --look runs/look/model --motion runs/motion/model --held-out --json
        attune video evaluate --model runs/sprites/model --sprites sprites \\
          --prompts prompts.txt
      """)

  @OptionGroup var evaluated: EvaluationOptions

  @OptionGroup var measured: SpriteMetricOptions

  @Flag(help: "Draw what captions mention evenly, and not the common more often, as in training.")
  var rare = false

  @Option(help: "The number of clips; 400, or 32 of each given prompt, unless given.")
  var count: Int?

  @Option(help: "Frames of each clip.")
  var frames = 8

  @Option(help: "Denoising steps.")
  var steps = 16

  @Option(help: "Classifier-free guidance scale; 1 or less turns it off.")
  var guidance: Float = 2

  @Option(help: "The maximum number of clips at a time.")
  var batch = 8

  func validate() throws {
    let ranges = [
      ("count", count ?? 1, 1...1_000_000), ("steps", steps, 1...10_000),
      ("frames", frames, 1...1_024), ("batch", batch, 1...100_000),
    ]
    for (name, number, range) in ranges { try validateRange(name, number, range) }
    try validateGuidance(guidance)
    try evaluated.validateForRandomCaptions("--rare", rare)
    guard measured.sprites != nil else {
      throw ValidationError("give --sprites DIR, the folder of the sheets that clips should show")
    }
  }

  func run() throws { try evaluated.computing.run(isQuiet: evaluated.quiet, compute) }

  private func compute() throws {
    let communicator = try Ranks.join()
    guard let (composer, metrics) = try measured.open(frameCount: frames) else { return }
    var distribution = SpriteDistribution()
    if rare { distribution.exponent = 0 }
    let sampler = try SpriteSampler(composer, distribution: distribution)
    guard !evaluated.heldOut || !sampler.heldOutPairs.isEmpty else {
      throw ImageCommandError(description: "there are no held-out pairs; leave --held-out out")
    }
    let sprites = (0..<(count ?? 400)).map {
      sampler.sprite(
        seed: evaluated.seed, index: $0, pairs: evaluated.heldOut ? .heldOut : .training)
    }
    let captions = sprites.enumerated().map {
      sampler.caption(of: $1, seed: evaluated.seed, index: $0)
    }
    if evaluated.list { return captions.forEach { print($0) } }
    let prompts = try evaluated.prompts
    let log = RunLog(isQuiet: evaluated.quiet)
    let pipeline = try openPipeline(log)
    log.noteWeights(ofModel: evaluated.model)
    try pipeline.check(generationSettings, log: log)
    log.warnOfCutPrompts(prompts, tokenizer: pipeline.tokenizer)
    func draw(_ prompts: [String], progress: (Int) -> Void) throws -> [SpriteMetrics.Findings] {
      var findings: [SpriteMetrics.Findings] = []
      try evaluated.draw(
        prompts, with: pipeline, generationSettings, over: communicator, progress: progress
      ) {
        findings += metrics.findings(in: $0, prompts: $1)
      }
      return findings
    }
    if prompts.isEmpty {
      let findings = try evaluated.measureProgress(of: captions.count, unit: "clip") {
        try draw(captions, progress: $0)
      }
      let size = try pipeline.sampleShape(generationSettings)
      let painted = sprites.map { sprite in
        Media.clip(
          Clip(
            frames: composer.frames(
              of: sprite, width: size[2] * pipeline.reduction,
              height: size[1] * pipeline.reduction), frameRate: 8))
      }
      let report = ClipReport(
        findings, painted: metrics.findings(in: painted, prompts: captions),
        isHeldOut: evaluated.heldOut)
      print(evaluated.json ? try report.jsonLine : report.table)
    } else {
      let count = count ?? 32
      let reports = try evaluated.each(of: prompts, count: count, unit: "clip") {
        ClipPromptReport($0, try draw($1, progress: $2))
      }
      let report = ClipPromptReports(count: count, prompts: reports)
      print(evaluated.json ? try report.jsonLine : report.table)
    }
  }

  private func openPipeline(_ log: RunLog) throws -> any PromptedPipeline {
    let pipeline = try GenerativeModelKind.open(
      evaluated.drawing.source(evaluated.model), log: log
    ).pipeline
    guard pipeline is any ClipPipeline else {
      throw ImageCommandError(
        description: "\(evaluated.model.printable) is a model of images; evaluate it with attune "
          + "image evaluate")
    }
    return pipeline
  }

  private var generationSettings: GenerationSettings {
    var settings = evaluated.settings(steps: steps, guidance: guidance, batch: batch)
    settings.frames = frames
    return settings
  }
}

/// What `attune video evaluate` prints of random captions.
struct ClipReport: Encodable {
  let count: Int
  let isHeldOut: Bool
  /// A mean over clips of each number, by its name.
  let model: [String: ScoreEstimate]
  /// The same of the painted clips.
  let painted: [String: ScoreEstimate]

  init(
    _ findings: [SpriteMetrics.Findings], painted: [SpriteMetrics.Findings], isHeldOut: Bool
  ) {
    count = findings.count
    self.isHeldOut = isHeldOut
    model = findings.estimates
    self.painted = painted.estimates
  }

  /// A line for each number.
  var table: String {
    let rows = SpriteMetrics.Findings().numbers.map { name, _ -> [String] in
      func cell(_ estimates: [String: ScoreEstimate]) -> String {
        name == "motionRatio" ? estimates[name].ratio : estimates[name].percent
      }
      return [name.words, cell(model), cell(painted)]
    }
    return alignedColumns([["", "model", "painted"]] + rows)
  }
}

/// What `attune video evaluate` prints of prompts that were given.
struct ClipPromptReports: Encodable {
  /// Clips of each.
  let count: Int
  let prompts: [ClipPromptReport]

  /// A line for each prompt.
  var table: String {
    alignedColumns(
      [["everything", "action", "exactly", "motion ratio", ""]]
        + prompts.map { report in
          let estimates = report.estimates
          return ["everything", "action", "exactEverything"].map { estimates[$0].percent }
            + [estimates["motionRatio"].ratio, report.prompt.printable]
        })
  }
}

/// How often a model shows what one prompt asks for.
struct ClipPromptReport: Encodable {
  let prompt: String
  /// A mean over clips of each number, by its name.
  let estimates: [String: ScoreEstimate]

  init(_ prompt: String, _ findings: [SpriteMetrics.Findings]) {
    self.prompt = prompt
    estimates = findings.estimates
  }
}

extension [SpriteMetrics.Findings] {
  /// The mean of each number, over the clips that have it.
  fileprivate var estimates: [String: ScoreEstimate] {
    var values: [String: [Double]] = [:]
    for findings in self {
      for (name, value) in findings.numbers {
        if let value { values[name, default: []].append(value) }
      }
    }
    return values.compactMapValues(ScoreEstimate.init)
  }
}

extension ScoreEstimate? {
  /// A number with its standard error.
  fileprivate var ratio: String {
    guard let self else { return "-" }
    return "\(self.mean.short) +- \(self.standardError.short)"
  }
}

extension String {
  /// Words of a name in camel case: `exact action`.
  fileprivate var words: String {
    reduce(into: "") { $0 += $1.isUppercase ? " \($1.lowercased())" : String($1) }
  }
}

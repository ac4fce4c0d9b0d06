import ArgumentParser
import CaptionedMedia
import Diffusion
import GenerativeModels
import InitialNoise
import ReinforcementLearning
import Rewards
import Runs
import Tensors
import TextToImage
import Training

/// `attune noise evaluate --model DIR --prompt TEXT --prior FILE... --reward NAME [--count 64]
/// [--json]`
struct NoiseEvaluateCommand: RankedCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Compare priors with plain noise and with best-of-N at as many images.",
    discussion: """
      All images are of fresh seeds. best-of-N takes the best of N plain images by the reward, \
      with as many images as the prior cost to learn and to use. Diversity is the mean of \
      1 - cosine between the CLIP features of two images. Several priors are averaged at the end, \
      those of one prompt first; the errors there are of the mean over prompts.

      Examples:
        attune noise evaluate --model checkpoints/dolls \\
          --prior runs/elf/prior.safetensors --reward clip \\
          --clip checkpoints/dolls-clip --classifier checkpoints/dolls-classifier
        attune noise evaluate --model checkpoints/dolls \\
          --prior runs/elf/prior.safetensors --reward png-size --count 128 --json
        attune noise evaluate --model checkpoints/dolls --reward png-size \\
          --prior runs/elf/prior-1.safetensors runs/elf/prior-2.safetensors
      """)

  @Option(help: "The model folder, in the layout of diffusers.", completion: .directory)
  var model: String

  @Option(help: "The prompt; the prior's own unless given.")
  var prompt: String?

  @Option(
    name: .customLong("prior"), parsing: .upToNextOption,
    help: "The priors, files that attune noise optimize wrote.",
    completion: .file(extensions: ["safetensors"]))
  var priors: [String]

  @Option(help: "The reward that was optimized, by which the best of N are chosen.")
  var reward: String

  @Option(name: .customLong("score"), help: "Another reward to measure; may be given again.")
  var scores: [String] = []

  @Option(
    help: "The folder of the CLIP model, for rewards that need one and for diversity.",
    completion: .directory)
  var clip: String?

  @Option(
    help: "The folder of a classifier, for the fraction of what the prompt requests.",
    completion: .directory)
  var classifier: String?

  @Option(
    help: "The folder of doll layers, for the exact comparison with them.", completion: .directory)
  var dolls: String?

  @OptionGroup var measured: SpriteMetricOptions

  @Option(help: "Images of each way.")
  var count = 64

  @Option(help: "The seed of the first image; -1 for a random one.")
  var seed: UInt64 = 2_000_000

  @Option(help: "Denoising steps; the prior's own unless given.")
  var steps: Int?

  @Option(
    help: """
      Classifier-free guidance scale; 1 or less turns it off. As the prior was learned unless given.
      """)
  var guidance: Float?

  @Option(
    help: "The sampler: \(SamplerKind.names); as the prior was learned unless given.")
  var sampler: SamplerKind?

  @OptionGroup var drawing: DrawingOptions

  @Option(help: "The maximum number of images at a time.")
  var batch = 16

  @Option(help: "The seconds that an external program may take.")
  var timeLimit = 600.0

  @OptionGroup var computing: ComputingOptions

  @Flag(help: "Report as JSON on standard output.")
  var json = false

  @Flag(help: "Print warnings and errors only.")
  var quiet = false

  func validate() throws {
    let ranges = [
      ("count", count, 2...100_000), ("steps", steps ?? 1, 1...10_000),
      ("batch", batch, 1...100_000),
    ]
    for (name, number, range) in ranges { try validateRange(name, number, range) }
    if let guidance { try validateGuidance(guidance) }
    try validateTimeLimit(timeLimit)
  }

  func run() throws { try computing.run(isQuiet: quiet, compute) }

  private func compute() throws {
    let communicator = try Ranks.join()
    func makeReward(_ text: String) throws -> any Reward {
      try RewardExpression(text).reward(clipFolder: clip, timeLimit: timeLimit)
    }
    let optimized = try makeReward(reward)
    var others = try scores.map { MediaScores.reward(try makeReward($0), name: $0.camelCased) }
    if let classifier { others.append(.classifier(try AttributeClassifier(folder: classifier))) }
    if clip == nil {
      RunLog(isQuiet: quiet).warn("no diversity without --clip, whose features it takes")
    }
    if let dolls { others.append(.layers(try DollComposer(folder: dolls))) }
    let log = RunLog(isQuiet: quiet)
    let pipeline = try GenerativeModelKind.open(
      drawing.source(model), log: log
    ).pipeline
    log.noteWeights(ofModel: model)
    let features = try clip.map { try ImageTextModel(folder: $0) }
    // Everything is checked before anything is drawn.
    let fingerprint = pipeline.fingerprint
    let groups = try PriorGroup.read(priors).map { group in
      let prompt = prompt ?? group.origin.prompt
      return (group, prompt, try settings(of: group, prompt: prompt, pipeline, fingerprint))
    }
    if let (_, metrics) = try measured.open(frameCount: groups.first?.2.frames ?? 8) {
      others.append(.sprites(metrics))
    }
    var progress = ProgressBar(
      "evaluate", total: groups.reduce(0) { $0 + $1.0.imageCount(count) }, unit: "image",
      isQuiet: quiet)
    var done = 0
    var reports: [NoiseReport] = []
    for (group, prompt, settings) in groups {
      let evaluation = NoiseEvaluation(
        model: pipeline, settings: settings, reward: optimized, others: others,
        features: features, communicator: communicator)
      let plain = try evaluation.plain(
        prompt: prompt, negativePrompt: group.origin.negativePrompt,
        imageCount: group.origin.imageCount, count: count, seed: seed
      ) { progress.update(done + $0) }
      done += group.imageCount(count) - count * group.members.count
      for (path, file) in group.members {
        let comparison = try evaluation.compare(file.prior, with: plain) {
          progress.update(done + $0)
        }
        done += count
        let report = NoiseReport(comparison, path: path)
        if !json { print(priors.count > 1 ? "\(report.title)\n\(report.table)" : report.table) }
        reports.append(report)
      }
    }
    guard reports.count > 1 else { return json ? print(try reports[0].jsonLine) : () }
    let summary = NoiseSummary(reports.map(\.comparison))
    print(json ? try NoiseReports(priors: reports, summary: summary).jsonLine : summary.table)
  }

  /// As the priors were learned, unless told otherwise.
  private func settings(
    of group: PriorGroup, prompt: String, _ pipeline: any PromptedPipeline,
    _ fingerprint: String
  ) throws -> GenerationSettings {
    var settings = GenerationSettings()
    settings.stepCount = steps ?? group.origin.stepCount
    settings.guidance = Guidance(scale: guidance ?? group.origin.guidance)
    settings.sampler = sampler ?? group.origin.sampler
    drawing.apply(to: &settings, origin: group.origin)
    settings.batchSize = batch
    let log = RunLog(isQuiet: quiet)
    for (path, file) in group.members {
      try file.prepare(
        path: path, model: pipeline, fingerprint: fingerprint, prompts: [prompt],
        negativePrompt: group.origin.negativePrompt, settings: &settings, log: log)
    }
    try pipeline.check(settings, negativePrompt: group.origin.negativePrompt, log: log)
    return settings
  }
}

/// Priors of one origin, learned from several seeds perhaps, which stand beside the same plain
/// images.
struct PriorGroup {
  /// What all of them were learned for.
  let origin: PriorOrigin
  /// Where they were read.
  private(set) var members: [(path: String, file: NoisePriorFile)]

  /// The groups of some files, in the order in which their first files come.
  ///
  /// - Throws: `FileError` if a file holds no prior.
  static func read(_ paths: [String]) throws -> [PriorGroup] {
    var groups: [PriorGroup] = []
    for path in paths {
      let file = try NoisePriorFile(path: path)
      if let place = groups.firstIndex(where: { $0.origin == file.origin }) {
        groups[place].members.append((path, file))
      } else {
        groups.append(PriorGroup(origin: file.origin, members: [(path, file)]))
      }
    }
    return groups
  }

  /// How many images a comparison draws, with `count` of each way.
  func imageCount(_ count: Int) -> Int {
    let bestOf = NoiseEvaluation.bestOf(imageCount: origin.imageCount, count: count)
    return count * (1 + bestOf + members.count)
  }
}

/// What `attune noise evaluate` prints for a prior.
struct NoiseReport: Encodable {
  let comparison: NoiseComparison
  private let path: String

  init(_ comparison: NoiseComparison, path: String) {
    self.comparison = comparison
    self.path = path
  }

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
  }

  /// `prior`, `prompt`, `count`, `bestOf`, and each score as `{plain, prior, bestOfN}`.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(path, forKey: Key("prior"))
    try container.encode(comparison.prompt, forKey: Key("prompt"))
    try container.encode(comparison.count, forKey: Key("count"))
    try container.encode(comparison.bestOf, forKey: Key("bestOf"))
    for (name, score) in comparison.scores { try container.encode(score, forKey: Key(name)) }
  }

  /// Which prior it is about.
  var title: String { "\(path.printable): \(comparison.prompt.printable)" }

  /// A line for each score.
  var table: String {
    scoreTable(
      head: ["", "plain", "prior", "best of \(comparison.bestOf)"], comparison.scores
    ) { [$0.plain, $0.prior, $0.bestOfN].map(\.words) }
  }
}

/// What it prints with `--json` for several priors: each, and what they gain on average over
/// prompts.
struct NoiseReports: Encodable {
  let priors: [NoiseReport]
  let summary: NoiseSummary
}

extension NoiseSummary {
  /// A line for each score, gains last.
  var table: String {
    let title = "\(priorCount.counting("prior")) of \(promptCount.counting("prompt"))"
    return title + "\n"
      + scoreTable(
        head: ["", "plain", "prior", "best of N", "prior - plain", "prior - best of N"], scores
      ) { [$0.plain, $0.prior, $0.bestOfN, $0.gain, $0.gainOverBestOfN].map(\.words) }
  }
}

/// The reward and diversity first, then by name.
private func scoreTable<Score>(
  head: [String], _ scores: [String: Score], cells: (Score) -> [String]
) -> String {
  let first = ["reward", "diversity"].filter { scores[$0] != nil }
  let names = first + scores.keys.filter { !first.contains($0) }.sorted()
  let rows = names.map { name in [name] + (scores[name].map(cells) ?? []) }
  return alignedColumns([head] + rows)
}

extension Optional<ScoreEstimate> {
  fileprivate var words: String { map(\.words) ?? "-" }
}

extension ScoreEstimate {
  fileprivate var words: String { "\(mean.short) +- \(standardError.short)" }
}

extension String {
  /// `png-size` as `pngSize`: a key for a report.
  var camelCased: String {
    let words = split { !$0.isLetter && !$0.isNumber }.map(String.init)
    guard let first = words.first else { return "score" }
    return first.lowercased()
      + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }
}

extension NoisePriorFile {
  /// Makes sure that the prior fits a use: another model or size is refused, another prompt or way
  /// of sampling is warned of.
  ///
  /// `fingerprint` is that of the model: every weight goes into it, so that it is
  /// computed once.
  func prepare(
    path: String, model: any GenerativeModel, fingerprint: String, prompts: [String],
    negativePrompt: String, settings: inout GenerationSettings, log: RunLog
  ) throws {
    // The size is part of what was learned.
    settings = model.settings(settings, fittingShape: prior.shape)
    try check(path: path, fingerprint: fingerprint, shape: try model.sampleShape(settings))
    for prompt in prompts {
      let differences = origin.differences(
        prompt: prompt, negativePrompt: negativePrompt, settings: settings)
      for difference in differences { log.warn("\(path.printable) was \(difference)") }
    }
  }
}

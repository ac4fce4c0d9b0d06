import Training
import ArgumentParser
import CaptionedImages
import Diffusion
import GenerativeModels
import Media
import ReinforcementLearning
import Rewards
import Runs
import TextToImage

/// `attune image evaluate --model DIR --dolls DIR --classifier DIR [--prompts FILE] [--count 500]
/// [--json]`
struct ImageEvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Evaluate how often a model of paper dolls draws what the prompts request.",
    discussion: """
      Draws one image of each of many random captions, from the distribution that the model was \
      trained on or with a held-out pair of items in each, and asks a classifier for every item \
      mentioned. The items of the top layers are also compared with the layers themselves. With \
      --prompt or --prompts, draws several images of each of these prompts instead, and reports \
      on each: how a prompt is found that the model often misses, but not always.

      Examples:
        attune image evaluate --model checkpoints/dolls --dolls dolls \\
          --classifier checkpoints/dolls-classifier
        attune image evaluate --model checkpoints/dolls --dolls dolls \\
          --classifier checkpoints/dolls-classifier --held-out --json
        attune image evaluate --model checkpoints/dolls --dolls dolls \\
          --classifier checkpoints/dolls-classifier --prompts samples/find/prompts.txt
      """)

  @Option(help: "The model folder, in the layout of diffusers.", completion: .directory)
  var model: String

  @Option(help: "The folder of doll layers.", completion: .directory)
  var dolls: String

  @Option(help: "The folder of the classifier.", completion: .directory)
  var classifier: String

  @Option(help: "The number of images; 500, or 32 of each given prompt, unless given.")
  var count: Int?

  @Flag(help: "Put a held-out pair of items in each random caption.")
  var heldOut = false

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

  @Option(help: "Denoising steps.")
  var steps = 20

  @Option(help: "Classifier-free guidance scale; 1 or less turns it off.")
  var guidance: Float = 4

  @Option(help: "The sampler: \(SamplerKind.names); the model's own unless given.")
  var sampler: SamplerKind?

  @OptionGroup var drawing: DrawingOptions

  @Option(help: "The maximum number of images at a time.")
  var batch = 16

  @OptionGroup var threads: ThreadOptions

  @Flag(help: "Report as JSON on standard output.")
  var json = false

  @Flag(help: "Print warnings and errors only.")
  var quiet = false

  func validate() throws {
    let ranges = [
      ("count", count ?? 1, 1...1_000_000), ("steps", steps, 1...10_000),
      ("batch", batch, 1...100_000),
    ]
    for (name, number, range) in ranges { try validateRange(name, number, range) }
    try validateGuidance(guidance)
    if heldOut && (promptFile != nil || !givenPrompts.isEmpty) {
      throw ValidationError("--held-out is for random captions; leave it out with --prompt")
    }
  }

  func run() throws {
    threads.apply()
    let composer = try DollComposer(folder: dolls)
    guard !heldOut || composer.hasHeldOutPairs else {
      throw ImageCommandError(
        description: "\(dolls.printable) has no heldout_pairs.tsv; leave --held-out out")
    }
    let prompts = givenPrompts + (try promptFile.map(PromptFile.init)?.prompts ?? [])
    let unused = PromptAccuracy(
      classifier: try AttributeClassifier(folder: classifier), composer: composer)
    let log = RunLog(isQuiet: quiet)
    let pipeline = try TextToImagePipeline(
      folder: model, embeddings: drawing.embeddings, log: log)
    log.noteWeights(ofModel: model)
    try pipeline.check(generationSettings, log: log)
    log.warnOfCutPrompts(prompts, tokenizer: pipeline.model.tokenizer)
    if prompts.isEmpty {
      let count = count ?? 500
      let captions = (0..<count).map { index in
        composer.caption(
          of: composer.doll(seed: seed, index: index, pairs: heldOut ? .heldOut : .training),
          seed: seed, index: index)
      }
      var progress = ProgressBar("evaluate", total: count, unit: "image", isQuiet: quiet)
      let accuracy = try accuracy(captions, pipeline, unused) { progress.update($0) }
      let report = ImageReport(accuracy, count: count, isHeldOut: heldOut)
      print(json ? try report.jsonLine : report.table)
    } else {
      let count = count ?? 32
      var progress = ProgressBar(
        "evaluate", total: prompts.count * count, unit: "image", isQuiet: quiet)
      let reports = try prompts.enumerated().map { index, prompt in
        let copies = [String](repeating: prompt, count: count)
        let accuracy = try accuracy(copies, pipeline, unused) {
          progress.update(index * count + $0)
        }
        return PromptReport(prompt, accuracy)
      }
      let report = PromptReports(count: count, prompts: reports)
      print(json ? try report.jsonLine : report.table)
    }
  }

  private var generationSettings: GenerationSettings {
    var settings = GenerationSettings()
    settings.stepCount = steps
    settings.guidance = Guidance(scale: guidance)
    settings.sampler = sampler
    drawing.apply(to: &settings)
    settings.batchSize = batch
    return settings
  }

  /// Draws an image of each prompt, with the seeds that follow `seed`, and looks at it.
  private func accuracy(
    _ prompts: [String], _ pipeline: TextToImagePipeline, _ unused: PromptAccuracy,
    progress: (Int) -> Void
  ) throws -> PromptAccuracy {
    let settings = generationSettings
    var accuracy = unused
    for start in stride(from: 0, to: prompts.count, by: batch) {
      let range = start..<min(prompts.count, start + batch)
      let images = try pipeline.images(
        prompts: Array(prompts[range]), seeds: range.map { seed &+ UInt64($0) },
        settings: settings)
      accuracy.add(
        Image.batch(images, range: .zeroToOne), prompts: Array(prompts[range]))
      progress(range.upperBound)
    }
    return accuracy
  }
}

/// What `attune image evaluate` prints of random captions.
struct ImageReport: Encodable {
  let count: Int
  let isHeldOut: Bool
  /// The fraction of the items asked for that are as asked for, a mean over images.
  let attributeAccuracy: ScoreEstimate?
  /// The fraction of images in which all are.
  let allAttributes: ScoreEstimate?
  /// Images whose items of the top layers are the layers asked for.
  let layersRight: ScoreEstimate?
  /// The accuracy of each slot.
  let slots: [String: ScoreEstimate]

  init(_ accuracy: PromptAccuracy, count: Int, isHeldOut: Bool) {
    self.count = count
    self.isHeldOut = isHeldOut
    attributeAccuracy = ScoreEstimate(accuracy.fractions)
    allAttributes = ScoreEstimate(accuracy.completeImages)
    layersRight = ScoreEstimate(accuracy.layers)
    slots = Dictionary(
      uniqueKeysWithValues: accuracy.bySlot.compactMap { slot, values in
        ScoreEstimate(values).map { (slot.rawValue, $0) }
      })
  }

  /// A line for each number.
  var table: String {
    let rows =
      [
        ("items as requested", attributeAccuracy), ("images with all of them", allAttributes),
        ("top layers exactly", layersRight),
      ] + slots.sorted { $0.key < $1.key }.map { ("  \($0.key)", Optional($0.value)) }
    return alignedColumns(rows.map { name, estimate in [name, estimate.percent] })
  }
}

/// What `attune image evaluate` prints of prompts that were given.
struct PromptReports: Encodable {
  /// Images of each.
  let count: Int
  let prompts: [PromptReport]

  /// A line for each prompt.
  var table: String {
    alignedColumns([["all items", "top layers exactly", ""]] + prompts.map(\.row))
  }
}

/// How often a model draws what one prompt asks for.
struct PromptReport: Encodable {
  let prompt: String
  /// The fraction of the items asked for that are as asked for, a mean over images.
  let attributeAccuracy: ScoreEstimate?
  /// The fraction of images in which all are.
  let allAttributes: ScoreEstimate?
  /// Images whose items of the top layers are the layers asked for.
  let layersRight: ScoreEstimate?

  init(_ prompt: String, _ accuracy: PromptAccuracy) {
    self.prompt = prompt
    attributeAccuracy = ScoreEstimate(accuracy.fractions)
    allAttributes = ScoreEstimate(accuracy.completeImages)
    layersRight = ScoreEstimate(accuracy.layers)
  }

  /// The cells of its line.
  var row: [String] {
    [allAttributes, layersRight].map(\.percent) + [prompt.printable]
  }
}

extension ScoreEstimate? {
  /// A fraction with its standard error, in percent.
  var percent: String {
    guard let self else { return "-" }
    return "\((self.mean * 100).short)% +- \((self.standardError * 100).short)"
  }
}

import Training
import ArgumentParser
import CaptionedMedia
import Diffusion
import GenerativeModels
import Media
import ReinforcementLearning
import Rewards
import Runs
import Tensors
import TextToImage

/// `attune image evaluate --model DIR --dolls DIR --classifier DIR [--prompts FILE] [--count 500]
/// [--json]`
struct ImageEvaluateCommand: RankedCommand {
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

  @OptionGroup var evaluated: EvaluationOptions

  @Option(help: "The folder of doll layers.", completion: .directory)
  var dolls: String

  @Option(help: "The folder of the classifier.", completion: .directory)
  var classifier: String

  @Option(help: "The number of images; 500, or 32 of each given prompt, unless given.")
  var count: Int?

  @Option(help: "Denoising steps.")
  var steps = 20

  @Option(help: "Classifier-free guidance scale; 1 or less turns it off.")
  var guidance: Float = 4

  @Option(help: "The maximum number of images at a time.")
  var batch = 16

  func validate() throws {
    let ranges = [
      ("count", count ?? 1, 1...1_000_000), ("steps", steps, 1...10_000),
      ("batch", batch, 1...100_000),
    ]
    for (name, number, range) in ranges { try validateRange(name, number, range) }
    try validateGuidance(guidance)
  }

  func run() throws { try evaluated.computing.run(isQuiet: evaluated.quiet, compute) }

  private func compute() throws {
    let communicator = try Ranks.join()
    let composer = try DollComposer(folder: dolls)
    guard !evaluated.heldOut || composer.hasHeldOutPairs else {
      throw ImageCommandError(
        description: "\(dolls.printable) has no heldout_pairs.tsv; leave --held-out out")
    }
    if evaluated.list { return captions(of: composer).forEach { print($0) } }
    let prompts = try evaluated.prompts
    let unused = PromptAccuracy(
      classifier: try AttributeClassifier(folder: classifier), composer: composer)
    let log = RunLog(isQuiet: evaluated.quiet)
    let pipeline = try TextToImagePipeline(
      evaluated.drawing.source(evaluated.model), log: log)
    log.noteWeights(ofModel: evaluated.model)
    try pipeline.check(generationSettings, log: log)
    log.warnOfCutPrompts(prompts, tokenizer: pipeline.model.tokenizer)
    func draw(_ prompts: [String], progress: (Int) -> Void) throws -> PromptAccuracy {
      var accuracy = unused
      try evaluated.draw(
        prompts, with: pipeline, generationSettings, over: communicator, progress: progress
      ) {
        accuracy.add($0.map(\.still), prompts: $1)
      }
      return accuracy
    }
    if prompts.isEmpty {
      let captions = captions(of: composer)
      let accuracy = try evaluated.measureProgress(of: captions.count, unit: "image") {
        try draw(captions, progress: $0)
      }
      let report = ImageReport(accuracy, count: captions.count, isHeldOut: evaluated.heldOut)
      print(evaluated.json ? try report.jsonLine : report.table)
    } else {
      let count = count ?? 32
      let reports = try evaluated.each(of: prompts, count: count, unit: "image") {
        PromptReport($0, try draw($1, progress: $2))
      }
      let report = PromptReports(count: count, prompts: reports)
      print(evaluated.json ? try report.jsonLine : report.table)
    }
  }

  private func captions(of composer: DollComposer) -> [String] {
    (0..<(count ?? 500)).map { index in
      composer.caption(
        of: composer.doll(
          seed: evaluated.seed, index: index, pairs: evaluated.heldOut ? .heldOut : .training),
        seed: evaluated.seed, index: index)
    }
  }

  private var generationSettings: GenerationSettings {
    evaluated.settings(steps: steps, guidance: guidance, batch: batch)
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

import ArgumentParser
import CaptionedImages
import Diffusion
import Media
import ReinforcementLearning
import Rewards
import Runs
import TextToImage

/// `attune image evaluate --model DIR --dolls DIR --classifier DIR [--count 500] [--json]`
struct ImageEvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Says how often a model of paper dolls draws what the prompts ask for.",
    discussion: """
      Draws one picture of each of many random captions, from the distribution that the model was \
      trained on or with a held-out pair of items in each, and asks a classifier for every item \
      mentioned. The items of the top layers are also compared with the layers themselves.

      Examples:
        attune image evaluate --model checkpoints/dolls --dolls dolls \\
          --classifier checkpoints/dolls-classifier
        attune image evaluate --model checkpoints/dolls --dolls dolls \\
          --classifier checkpoints/dolls-classifier --held-out --json
      """)

  @Option(help: "The model folder, in the layout of diffusers.", completion: .directory)
  var model: String

  @Option(help: "The folder of doll layers.", completion: .directory)
  var dolls: String

  @Option(help: "The folder of the classifier.", completion: .directory)
  var classifier: String

  @Option(help: "Pictures.")
  var count = 500

  @Flag(help: "Put a held-out pair of items in each prompt.")
  var heldOut = false

  @Option(help: "Decides prompts and noise; none that a training drew with another seed.")
  var seed: UInt64 = 1_000_000

  @Option(help: "Denoising steps.")
  var steps = 20

  @Option(help: "How strongly the prompt guides.")
  var guidance: Float = 4

  @Option(help: "The most pictures at a time.")
  var batch = 16

  @OptionGroup var threads: ThreadOptions

  @Flag(help: "Report as JSON on standard output.")
  var json = false

  @Flag(help: "Say nothing but errors.")
  var quiet = false

  func validate() throws {
    let ranges = [
      ("count", count, 1...1_000_000), ("steps", steps, 1...10_000), ("batch", batch, 1...100_000),
    ]
    for (name, number, range) in ranges { try validateRange(name, number, range) }
    try validateGuidance(guidance)
  }

  func run() throws {
    threads.apply()
    let composer = try DollComposer(folder: dolls)
    guard !heldOut || composer.hasHeldOutPairs else {
      throw ImageCommandError(
        description: "\(dolls.printable) has no heldout_pairs.tsv; leave --held-out out")
    }
    var accuracy = PromptAccuracy(
      classifier: try AttributeClassifier(folder: classifier), composer: composer)
    let pipeline = try TextToImagePipeline(folder: model)
    var settings = GenerationSettings()
    settings.stepCount = steps
    settings.guidance = Guidance(scale: guidance)
    settings.batchSize = batch
    let prompts = (0..<count).map { index in
      composer.caption(
        of: composer.doll(seed: seed, index: index, pairs: heldOut ? .heldOut : .training),
        seed: seed, index: index)
    }
    var progress = ProgressBar("evaluate", total: count, unit: "picture", isQuiet: quiet)
    for start in stride(from: 0, to: count, by: batch) {
      let range = start..<min(count, start + batch)
      let images = try pipeline.generate(
        prompts: Array(prompts[range]), seeds: range.map { seed &+ UInt64($0) },
        settings: settings)
      accuracy.add(
        Image.batch(images, range: .zeroToOne), prompts: Array(prompts[range]))
      progress.update(range.upperBound)
    }
    let report = ImageReport(accuracy, count: count, isHeldOut: heldOut)
    print(json ? try report.jsonLine : report.table)
  }
}

/// What `attune image evaluate` prints.
struct ImageReport: Encodable {
  let count: Int
  let isHeldOut: Bool
  /// The share of the items asked for that are as asked for, a mean over pictures.
  let attributeAccuracy: ScoreEstimate?
  /// The share of pictures in which all are.
  let allAttributes: ScoreEstimate?
  /// Pictures whose items of the top layers are the layers asked for.
  let layersRight: ScoreEstimate?
  /// The accuracy of each slot.
  let slots: [String: ScoreEstimate]

  init(_ accuracy: PromptAccuracy, count: Int, isHeldOut: Bool) {
    self.count = count
    self.isHeldOut = isHeldOut
    attributeAccuracy = ScoreEstimate(accuracy.shares)
    allAttributes = ScoreEstimate(accuracy.wholePictures)
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
        ("items as asked for", attributeAccuracy), ("pictures with all of them", allAttributes),
        ("top layers exactly", layersRight),
      ] + slots.sorted { $0.key < $1.key }.map { ("  \($0.key)", Optional($0.value)) }
    let width = rows.map(\.0.count).max() ?? 0
    return rows.map { name, estimate in
      let text = estimate.map {
        "\(($0.mean * 100).short)% +- \(($0.standardError * 100).short)"
      }
      return name + String(repeating: " ", count: width - name.count + 2) + (text ?? "-")
    }.joined(separator: "\n")
  }
}

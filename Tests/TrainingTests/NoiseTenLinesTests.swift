import Foundation
import InitialNoise
import Rewards
import Runs
import TestSupport
import Testing
import TextToImage
import Training

/// The Swift program that README.md and docs/tutorials/library.md show: FIND with a run folder and
/// resume.
@Suite struct NoiseTenLinesTests {
  private let folder: TemporaryFolder
  private let model: String

  /// A model of 8 x 8 pixels that has learned nothing.
  init() throws {
    folder = try TemporaryFolder()
    model = folder.file("model")
    var configuration = NewModelConfiguration()
    configuration.text.vocabularySize = 600
    configuration.text.tokenCount = 6
    configuration.text.width = 16
    configuration.text.layerCount = 1
    configuration.text.headCount = 2
    configuration.unet.channels = [16, 16]
    configuration.unet.headCount = 2
    configuration.unet.normGroupCount = 4
    try configuration.makeModel(
      vocabulary: BytePairVocabulary(trainedOn: ["an elf", "an elf"], size: 600), width: 8,
      height: 8, seed: 3
    ).write(folder: model)
  }

  private func optimize(
    _ model: String, _ path: String, change: (inout NoiseOptimizationSettings) -> Void
  ) throws {
    var settings = NoiseOptimizationSettings()
    settings.model = model
    settings.prompts = ["an elf in a red robe"]
    settings.reward = "png-size"
    settings.find.iterations = 16
    change(&settings)
    let run = try Run.open(at: path, settings, command: "noise optimize")
    let job = try NoiseOptimizationJob(run)
    try TrainingLoop().train(job)
  }

  /// The same without a folder, for a model and a reward of one's own.
  private func learn(_ pipeline: TextToImagePipeline) throws -> [NoisePriorFile] {
    var configuration = FINDConfiguration()
    configuration.iterations = 2
    let find = try FIND(
      pipeline, prompts: ["an elf in a red robe"], reward: PNGSizeReward(.incompressibility),
      configuration: configuration)
    while !find.isFinished { print(try find.iterate()["reward"] ?? .nan) }
    return find.priorFiles
  }

  /// Sizes for a test.
  private func small(_ iterations: Int) -> (inout NoiseOptimizationSettings) -> Void {
    {
      $0.find.iterations = iterations
      $0.find.imageCount = 16
      $0.gridCount = 2
    }
  }

  /// Run again with more iterations, the program goes on, to the same bits as one that never
  /// stopped.
  @Test func aRunGoesOn() throws {
    let (stopped, whole) = (folder.file("stopped"), folder.file("whole"))
    try optimize(model, stopped, change: small(1))
    func prior(_ run: String) throws -> [Float] {
      try NoisePriorFile(path: "\(run)/prior.safetensors").prior.mean.elements
    }
    let first = try prior(stopped)
    try optimize(model, stopped, change: small(2))
    try optimize(model, whole, change: small(2))
    #expect(try prior(stopped) == prior(whole))
    #expect(try prior(whole) != first)
    let lines = try MetricsReader(path: "\(stopped)/metrics.jsonl").records
    #expect(lines.map(\.iteration) == [1, 2])
    #expect(FileManager.default.fileExists(atPath: "\(stopped)/images/after.png"))
  }

  @Test func learnsWithoutAFolder() throws {
    let files = try learn(TextToImagePipeline(folder: model))
    #expect(files.count == 1 && files[0].origin.imageCount == 32)
    #expect(files[0].prior.shift > 0)
  }

  /// What is shown is what is run here.
  @Test(arguments: ["README.md", "docs/tutorials/library.md"])
  func itIsShown(page: String) throws {
    let source = try String(contentsOf: URL(filePath: #filePath), encoding: .utf8)
    let body = try #require(
      source.firstMatch(of: #/(?s)func optimize.*?\) throws \{\n(.*?)\n  \}/#)
    ).output.1
    let lines = body.split(separator: "\n").map { $0.trimmingPrefix { $0 == " " } }
      .filter { !$0.hasPrefix("change(") }
      .map { $0.replacing("= model", with: "= \"checkpoints/dolls\"") }
      .map { $0.replacing("at: path", with: "at: \"runs/elf\"") }
    #expect(lines.count == 8)
    let text = try String(contentsOfFile: Repository.path(page), encoding: .utf8)
    #expect(text.contains(lines.joined(separator: "\n")), "\(lines.joined(separator: "\n"))")
  }
}

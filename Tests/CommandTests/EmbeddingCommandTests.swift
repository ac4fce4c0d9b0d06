import Files
import Foundation
import TestSupport
import Tensors
import Testing

/// `--embedding` in trainings: learned tokens reach prompts, the written model and resumes.
@Suite(.serialized) struct EmbeddingCommandTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.writeImageModel()
    try folder.writeImageTraining()
    try write("learned.safetensors", seed: 1)
  }

  private func write(_ name: String, seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    try SafetensorsFile.write(
      ["<cat>": StoredTensor(random.normal([2, 16]))], to: folder.file(name))
  }

  private func attune(_ arguments: [String]) throws -> ProgramOutcome {
    try Attune.run(arguments, in: folder)
  }

  /// A training of two kinds with the same token: its words, and those for two more iterations.
  private struct Case: CustomTestStringConvertible, Sendable {
    let command: [String]
    let start: [String]
    let more: String
    let key: String
    var testDescription: String { command.joined(separator: " ") }
  }

  private static let cases = [
    Case(
      command: ["image", "finetune"],
      start: [
        "--model", "model", "--prompt", "a <cat>", "--reward", "incompressibility",
        "training.iterations=1", "training.imagesPerPrompt=2", "training.stepCount=2",
        "training.rewardMinimumCount=2", "evaluation.count=1",
      ], more: "training.iterations=2", key: "embeddings"),
    Case(
      command: ["image", "train"],
      start: [
        "--config", "train.yaml", "model.folder=model", "data.width=8", "data.height=8",
        "samples.prompts=[a <cat>]", "training.batchCount=3", "training.warmUpCount=1",
        "samples.interval=3", "checkpointInterval=3",
      ], more: "training.batchCount=6", key: "model.embeddings"),
  ]

  private func images(_ run: String) throws -> [[UInt8]] {
    try FileManager.default.contentsOfDirectory(atPath: folder.file("\(run)/images")).sorted()
      .map { try folder.bytes("\(run)/images/\($0)") }
  }

  @Test(arguments: cases) private func tokensAreKept(_ training: Case) throws {
    let start = training.command + training.start
    let plain = try attune(start + ["--output", "plain"])
    #expect(plain.status == 0, "\(plain.output)")
    let learned = try attune(start + ["--output", "run", "--embedding", "learned.safetensors"])
    #expect(learned.status == 0, "\(learned.output)")
    #expect(learned.output.contains("the token <cat>, 2 vectors"), "\(learned.output)")
    #expect(try images("run") != images("plain"))
    #expect(try folder.text("run/config.yaml").contains("learned.safetensors"))

    // The written model has it: it need not be given again, and cannot.
    let sample = [
      "image", "sample", "--model", "run/model", "--prompt", "a <cat>", "--steps", "1", "--count",
      "1", "--output", "a.png",
    ]
    let sampled = try attune(sample)
    #expect(sampled.status == 0, "\(sampled.output)")
    // A line tells what the file has before it is refused.
    let refused = try attune(sample + ["--embedding", "learned.safetensors"])
    #expect(refused.status == 1)
    #expect(
      refused.standardError.contains("'<cat>': is a token of the model already"),
      "\(refused.standardError)")

    // A resumed run needs the same tokens, wherever they lie.
    try FileManager.default.moveItem(
      atPath: folder.file("learned.safetensors"), toPath: folder.file("moved.safetensors"))
    let resume = training.command + ["--resume", "run", "--quiet", training.more]
    expectOneLine(try attune(resume), "learned.safetensors")
    try write("learned.safetensors", seed: 2)
    expectOneLine(try attune(resume), "'\(training.key)' is not what run was started with")
    expectOneLine(try attune(resume + ["\(training.key)=[]"]), "'\(training.key)'")
    let resumed = try attune(resume + ["\(training.key)=[moved.safetensors]"])
    #expect(resumed.status == 0, "\(resumed.output)")
  }

  @Test func newModelsLearnTheirTokens() throws {
    expectOneLine(
      try attune([
        "image", "train", "--config", "train.yaml", "--embedding", "learned.safetensors",
      ]), "'model.embeddings': found learned.safetensors", "model.folder")
  }
}

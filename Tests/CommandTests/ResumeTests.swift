import DiffusionPolicies
import Environments
import Foundation
import TestSupport
import Testing

/// What a resumed run takes over, and what it refuses.
@Suite(.serialized) struct ResumeTests {
  /// All trainings, that of rewards among them.
  private static let rewardTraining = TinyTraining(
    command: "reward train", settings: "reward.yaml",
    overrides: ["reportInterval=1", "checkpointInterval=1", "validation.interval=6"],
    product: "model/model.safetensors", prepare: { try $0.writeRewardTraining() })
  static let all = TinyTraining.all + [rewardTraining]

  /// A finished run `whole`, and a copy `part` as it was after some of its iterations.
  private func prepare(
    _ training: TinyTraining, in folder: TemporaryFolder, overrides: [String] = []
  ) throws {
    let whole = try Attune.run(training.start("whole") + overrides, in: folder)
    #expect(whole.status == 0, "\(whole.output)")
    let iterations = TinyTraining.checkpoints(folder.file("whole"))
    try FileManager.default.copyItem(
      atPath: folder.file("whole"), toPath: folder.file("part"))
    let last = try #require(iterations.last)
    let name = "iteration-\(String(1_000_000 + last).dropFirst()).safetensors"
    try FileManager.default.removeItem(atPath: folder.file("part/checkpoints/\(name)"))
  }

  private func expectExact(
    _ training: TinyTraining, in folder: TemporaryFolder, _ overrides: [String] = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let resumed = try Attune.run(training.resume("part") + overrides, in: folder)
    #expect(resumed.status == 0, "\(resumed.output)", sourceLocation: sourceLocation)
    #expect(
      try training.result(folder.file("part")) == training.result(folder.file("whole")),
      sourceLocation: sourceLocation)
  }

  private func expectRefused(
    _ training: TinyTraining, in folder: TemporaryFolder, _ overrides: [String], _ words: String...,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = try folder.bytes("part/metrics.jsonl")
    let outcome = try Attune.run(training.resume("part") + overrides, in: folder)
    expectOneLine(outcome, sourceLocation: sourceLocation)
    for word in words {
      #expect(outcome.output.contains(word), "\(outcome.output)", sourceLocation: sourceLocation)
    }
    #expect(try folder.bytes("part/metrics.jsonl").starts(with: before.prefix(20)))
  }

  private func move(_ from: String, _ to: String, in folder: TemporaryFolder) throws {
    try FileManager.default.moveItem(atPath: folder.file(from), toPath: folder.file(to))
  }

  /// The run's own checkpoint has weights, configuration and normalization.
  @Test func theStartPolicyIsNotReadAgain() throws {
    let training = TinyTraining.all[1]
    let folder = try training.makeFolder()
    try prepare(training, in: folder)
    try FileManager.default.copyItem(
      atPath: folder.file("part"), toPath: folder.file("another"))
    try move("policy.safetensors", "moved.safetensors", in: folder)
    try expectExact(training, in: folder)

    // Another policy in its place, with the same weights and another normalization.
    var other = try PolicyCheckpoint(path: folder.file("moved.safetensors"))
    other.normalization = DemonstrationNormalization(
      observations: MinMaxNormalization(
        minimum: [0, 0, 0, 0, 0], maximum: [256, 256, 256, 256, 3]),
      actions: MinMaxNormalization(minimum: [0, 0], maximum: [256, 256]))
    try other.write(to: folder.file("policy.safetensors"))
    try FileManager.default.removeItem(atPath: folder.file("part"))
    try move("another", "part", in: folder)
    try expectExact(training, in: folder)
  }

  @Test func fineTunedStepsStay() throws {
    let training = TinyTraining.all[1]
    let folder = try training.makeFolder()
    try prepare(training, in: folder)
    for count in [1, 3] {
      try expectRefused(
        training, in: folder, ["training.fineTunedSteps=\(count)"],
        "'training.fineTunedSteps': found \(count), expected 2")
    }
    try expectRefused(
      training, in: folder, ["--checkpoint", "other.safetensors"],
      "'checkpoint': found other.safetensors, expected policy.safetensors")
    try expectRefused(
      training, in: folder, ["policy.sampler=ddim"], "'policy.sampler': found ddim, expected null")
    // The same by hand.
    let yaml = try folder.text("part/config.yaml")
    try folder.write(
      yaml.replacing("fineTunedSteps: 2", with: "fineTunedSteps: 3"), to: "part/config.yaml")
    try expectRefused(training, in: folder, [], "found 3, expected 2")
    try folder.write(yaml, to: "part/config.yaml")
    try expectExact(training, in: folder)
  }

  @Test func demonstrationsAreThoseOfTheStart() throws {
    let training = TinyTraining.all[0]
    let folder = try training.makeFolder()
    try prepare(training, in: folder)
    try move("demonstrations.npz", "moved.npz", in: folder)
    // Other steps of the same sizes.
    var other = try Demonstrations(contentsOf: folder.file("moved.npz"))
    other.actions[0] = 4
    try other.write(to: folder.file("demonstrations.npz"))
    try expectRefused(
      training, in: folder, [], "demonstrations.npz", "'demonstrations.path'", "expected ")
    try expectRefused(
      training, in: folder, ["policy.network.activation=mish"],
      "'policy.network.activation': found mish, expected relu")
    try expectExact(training, in: folder, ["demonstrations.path=moved.npz"])
  }

  @Test func moreDemonstrationsAreThoseOfTheStart() throws {
    let training = TinyTraining.all[0]
    let folder = try training.makeFolder()
    let first = try Demonstrations(contentsOf: folder.file("demonstrations.npz"))
    var other = first
    other.actions[0] = 4
    try other.write(to: folder.file("more.npz"))
    try prepare(training, in: folder, overrides: ["demonstrations.morePaths=[more.npz]"])
    try move("more.npz", "moved.npz", in: folder)
    try first.write(to: folder.file("more.npz"))
    try expectRefused(training, in: folder, [], "'demonstrations.morePaths'", "expected ")
    try expectRefused(
      training, in: folder, ["demonstrations.morePaths=[]"], "'demonstrations.morePaths'",
      "expected ")
    try expectExact(training, in: folder, ["demonstrations.morePaths=[moved.npz]"])
  }

  @Test func imagesAreThoseOfTheStart() throws {
    let training = TinyTraining.all[2]
    let folder = try training.makeFolder()
    try FileManager.default.copyItem(
      atPath: TemporaryFolder.dolls, toPath: folder.file("dolls"))
    try prepare(training, in: folder, overrides: ["data.path=dolls"])
    try move("dolls", "moved", in: folder)
    try folder.write("", to: "moved/more.txt")
    try expectRefused(
      training, in: folder, ["data.path=moved"], "moved",
      "'data.path' is not what part was started with")
    try FileManager.default.removeItem(atPath: folder.file("moved/more.txt"))
    try expectExact(training, in: folder, ["data.path=moved"])
  }

  @Test func dollsOfARewardAreThoseOfTheStart() throws {
    let training = Self.rewardTraining
    let folder = try training.makeFolder()
    try FileManager.default.copyItem(
      atPath: TemporaryFolder.dolls, toPath: folder.file("dolls"))
    try prepare(training, in: folder, overrides: ["dolls.folder=dolls"])
    try expectRefused(
      training, in: folder, ["clip.width=32"], "'clip.width': found 32, expected 16")
    try folder.write("", to: "dolls/more.txt")
    try expectRefused(training, in: folder, [], "'dolls.folder' is not what part was started with")
    try FileManager.default.removeItem(atPath: folder.file("dolls/more.txt"))
    try expectExact(training, in: folder)
  }

  @Test(arguments: [3, 4])
  func modelAndRewardAreThoseOfTheStart(_ index: Int) throws {
    let training = TinyTraining.all[index]
    let folder = try training.makeFolder()
    try prepare(training, in: folder)
    try expectRefused(
      training, in: folder, ["reward=png-size"], "'reward'", "content incompressibility",
      "command:")
    try expectRefused(
      training, in: folder, ["prompts=[another]"],
      "'prompts': found [another], expected [\"a red square\"]")
    // Another model in the same place, then the right one in another.
    try move("model", "moved", in: folder)
    let image = try TinyTraining.all[2].makeFolder()
    let other = try Attune.run(
      TinyTraining.all[2].start("other") + ["training.batchCount=1"], in: image)
    #expect(other.status == 0, "\(other.output)")
    try FileManager.default.copyItem(
      atPath: image.file("other/model"), toPath: folder.file("model"))
    try expectRefused(training, in: folder, [], "model: 'model' is not what part was started with")
    // A program may be mended, and that is told.
    try folder.write(try folder.text("score.sh") + "\n# mended\n", to: "score.sh")
    let resumed = try Attune.run(training.resume("part") + ["model=moved"], in: folder)
    #expect(resumed.status == 0, "\(resumed.output)")
    #expect(resumed.output.contains("score.sh, which 'reward.program.2' names, has changed"))
    #expect(
      try training.result(folder.file("part")) == training.result(folder.file("whole")))
  }

  /// Every training takes more iterations, tells it, and keeps a record; no other seed.
  @Test(arguments: all)
  func changesAreTakenToldAndRecorded(_ training: TinyTraining) throws {
    let folder = try training.makeFolder()
    let started = try Attune.run(training.start("part"), in: folder)
    #expect(started.status == 0, "\(started.output)")
    let finished = try Attune.run(training.resume("part").filter { $0 != "--quiet" }, in: folder)
    #expect(finished.status == 0, "\(finished.output)")
    let match = try #require(finished.output.firstMatch(of: #/for more, add ([\w.]+)=(\d+)/#))
    let key = String(match.output.1)
    let more = try Attune.run(
      training.resume("part").filter { $0 != "--quiet" } + ["\(key)=\(match.output.2)"],
      in: folder)
    #expect(more.status == 0, "\(more.output)")
    #expect(
      more.output.contains("changed: \(key) ") && more.output.contains(" -> \(match.output.2)"))
    let record = try folder.text("part/run.json")
    #expect(record.contains("\"command\" : \"\(training.command)\"") && record.contains(key))
    let seed = try Attune.run(training.resume("part") + ["seed=2"], in: folder)
    expectOneLine(seed, "keeps the seed", status: 2)
  }
}

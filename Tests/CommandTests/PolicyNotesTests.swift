import DiffusionPolicies
import Environments
import Foundation
import Tensors
import TestSupport
import Testing

/// What a training or an import leaves out is printed once.
@Suite(.serialized) struct PolicyNotesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func expectOnce(
    _ parts: [String], in outcome: ProgramOutcome,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(outcome.status == 0, "\(outcome.output)", sourceLocation: sourceLocation)
    for part in parts {
      let count = outcome.standardError.components(separatedBy: part).count - 1
      #expect(count == 1, "'\(part)' in \(outcome.standardError)", sourceLocation: sourceLocation)
    }
  }

  @Test func pretrainingPrintsWhatItLeavesOut() throws {
    try folder.writePretraining()
    var demonstrations = try Demonstrations(contentsOf: folder.file("demonstrations.npz"))
    demonstrations.rewards = []
    demonstrations.lengths = [2, 58]
    try demonstrations.write(to: folder.file("demonstrations.npz"))
    let arguments = [
      "policy", "pretrain", "--config", "pretrain.yaml", "training.batchCount=2",
      "training.warmUpCount=0", "training.emaStart=1", "reportInterval=1",
      "checkpointInterval=1", "evaluation.interval=0",
    ]
    let outcome = try Attune.run(arguments + ["--output", "run"], in: folder)
    expectOnce(
      [
        "demonstrations.npz: no 'rewards': returns are not known",
        "demonstrations.npz: 1 of 2 episodes shorter than the 4 steps that a chunk needs",
        "demonstrations.npz: only 1 episode can be learned from: nothing is held out",
      ], in: outcome)
    let quiet = try Attune.run(arguments + ["--output", "quiet", "--quiet"], in: folder)
    #expect(quiet.status == 0 && !quiet.output.contains("rewards"), "\(quiet.output)")
  }

  @Test func normalizedDemonstrationsAreRefusedBeforeTraining() throws {
    try folder.writePretraining()
    var demonstrations = try Demonstrations(contentsOf: folder.file("demonstrations.npz"))
    let ranges = DemonstrationNormalization(of: demonstrations)
    demonstrations.states = ranges.observations.normalized(demonstrations.states)
    demonstrations.actions = ranges.actions.normalized(demonstrations.actions)
    try demonstrations.write(to: folder.file("demonstrations.npz"))
    let outcome = try Attune.run(
      ["policy", "pretrain", "--config", "pretrain.yaml", "--output", "run"], in: folder)
    expectOneLine(
      outcome, "demonstrations.npz", "demonstrations.normalization=normalization.npz",
      "demonstrations.normalization=none")
    #expect(!folder.holds("run/policy.safetensors"))
  }

  @Test func finetuningPrintsTheRemainder() throws {
    try folder.writeFinetuning()
    let arguments = [
      "policy", "finetune", "--config", "finetune.yaml", "training.iterations=1",
      "evaluation.interval=0", "--output",
    ]
    // 4 environments, 6 chunks, 2 steps: 48 pairs.
    let outcome = try Attune.run(arguments + ["rest", "training.batchSize=20"], in: folder)
    expectOnce(["each epoch leaves out 8 of 48 pairs"], in: outcome)
    let whole = try Attune.run(arguments + ["whole"], in: folder)
    #expect(whole.status == 0 && !whole.output.contains("leaves out"), "\(whole.output)")
    let large = try Attune.run(arguments + ["large", "training.batchSize=49"], in: folder)
    expectOnce(["minibatches have all 48 pairs"], in: large)
  }

  @Test func importPrintsWhatItTakes() throws {
    let sizes = (observations: 5, actions: 2)
    func ranges(_ size: Int) -> MinMaxNormalization {
      MinMaxNormalization(
        minimum: Array(repeating: -2, count: size), maximum: Array(repeating: 2, count: size))
    }
    try DemonstrationNormalization(
      observations: ranges(sizes.observations), actions: ranges(sizes.actions)
    ).write(to: folder.file("normalization.npz"))
    try folder.write(
      """
      policy:
        observationSteps: 2
        horizonSteps: 4
        network: {hiddenSizes: [16, 16, 16], timeEmbeddingSize: 8}
      normalization: normalization.npz
      """, to: "import.yaml")
    func run(_ checkpoint: String) throws -> ProgramOutcome {
      try Attune.run(
        [
          "policy", "import", Repository.golden("DiffusionPolicies/\(checkpoint).pt"), "--config",
          "import.yaml", "--output", "policy.safetensors",
        ], in: folder)
    }
    expectOnce(
      ["pretrained.pt: the weights are those of 'ema', not those of 'model'"],
      in: try run("pretrained"))
    expectOnce(
      [
        "lightning.pt: the weights are those of 'state_dict'",
        "lightning.pt: not read: 'optimizer_states/0/state/0' (1 tensor)",
      ], in: try run("forms/lightning"))
  }
}

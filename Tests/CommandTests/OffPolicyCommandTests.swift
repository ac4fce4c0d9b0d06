import DiffusionPolicies
import Foundation
import TestSupport
import Testing

/// `attune policy finetune` with algorithms that learn off policy, and what takes their results.
@Suite(.serialized) struct OffPolicyCommandTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.writeNoiseFinetuning()
  }

  private func run(_ arguments: [String]) throws -> ProgramOutcome {
    try Attune.run(arguments, in: folder)
  }

  private func finetune(_ output: String, _ overrides: [String] = []) throws -> ProgramOutcome {
    try run(
      ["policy", "finetune", "--config", "dsrl.yaml", "--output", output, "--quiet"] + overrides)
  }

  /// The result is a small file that evaluate, serve and collect take; where its base is gone, a line says
  /// which.
  @Test func theResultIsAFileBesideItsBase() throws {
    let training = try finetune("run")
    #expect(training.status == 0, "\(training.output)")
    let result = "run/policy.safetensors"
    let takers = [
      ["policy", "evaluate", "--checkpoint", result, "--episodes", "2"],
      ["policy", "evaluate", "--checkpoint", result, "--episodes", "2", "--best-of", "3"],
      ["policy", "serve", "--checkpoint", result, "--port", "0", "--check"],
      ["policy", "serve", "--checkpoint", result, "--port", "0", "--check", "--best-of", "3"],
      [
        "policy", "collect", "--environment", "push-t", "timeLimit=40", "--policy", result,
        "--episodes", "2", "--output", "collected.npz",
      ],
    ]
    for arguments in takers {
      let outcome = try run(arguments)
      #expect(outcome.status == 0, "\(arguments): \(outcome.output)")
    }
    let export = try run(["policy", "export", "--checkpoint", result, "--output", "p.onnx"])
    #expect(export.status != 0)
    #expect(export.output.contains("a policy of initial noise (algorithm=dsrl) cannot be exported"))
    // A checkpoint of the run holds all of it.
    try FileManager.default.removeItem(atPath: folder.file("policy.safetensors"))
    let whole = try run([
      "policy", "evaluate", "--checkpoint", "run/checkpoints/iteration-000006.safetensors",
      "--episodes", "1",
    ])
    #expect(whole.status == 0, "\(whole.output)")
    let missing = try run(takers[0])
    #expect(missing.status != 0)
    #expect(
      missing.output.contains(
        "steers the policy of policy.safetensors, which is not there"), "\(missing.output)")
  }

  @Test func policiesWithoutAQFunctionHaveNoBest() throws {
    let outcome = try run([
      "policy", "evaluate", "--checkpoint", "policy.safetensors", "--episodes", "1", "--best-of",
      "2",
    ])
    #expect(outcome.status != 0)
    #expect(outcome.output.contains("no Q function"), "\(outcome.output)")
  }

  /// IDQL's own number of chunks is what evaluate takes.
  @Test(arguments: ["idql", "dql", "qsm", "dipo"]) func criticsAreKept(_ algorithm: String) throws {
    let lines = try folder.text("dsrl.yaml").split(separator: "\n")
    let settings = lines.filter { !$0.hasPrefix("  dsrl:") }.joined(separator: "\n")
    try folder.write(
      settings.replacing("algorithm: dsrl", with: "algorithm: \(algorithm)"), to: "other.yaml")
    let training = try run([
      "policy", "finetune", "--config", "other.yaml", "--output", algorithm, "--quiet",
      "training.iterations=3",
    ])
    #expect(training.status == 0, "\(training.output)")
    let policy = try PolicyCheckpoint(path: folder.file("\(algorithm)/policy.safetensors"))
    #expect(policy.bestOf == (algorithm == "idql" ? 20 : nil))
    let outcome = try run([
      "policy", "evaluate", "--checkpoint", "\(algorithm)/policy.safetensors", "--episodes", "1",
      "--best-of", "2",
    ])
    #expect(outcome.status == 0, "\(outcome.output)")
  }

  /// What an algorithm does not read is refused, not passed over.
  @Test func settingsThatNobodyReadsAreRefused() throws {
    for (override, key) in [
      ("training.clipRange=0.2", "training.clipRange"),
      ("offPolicy.idql.candidates=3", "offPolicy.idql.candidates"),
      ("offPolicy.criticWarmUpUpdates=3", "offPolicy.criticWarmUpUpdates"),
    ] {
      let outcome = try finetune("refused", [override])
      #expect(outcome.status != 0, "\(override)")
      #expect(
        outcome.output.contains(key)
          && outcome.output.contains("algorithm 'dsrl' does not read it"),
        "\(outcome.output)")
    }
    let outcome = try run([
      "policy", "finetune", "--config", "finetune.yaml", "--output", "refused",
      "offPolicy.updates=3",
    ])
    #expect(outcome.status != 0 && outcome.output.contains("offPolicy.updates"))
  }
}

import DiffusionPolicies
import Foundation
import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// `attune policy export`, as a user runs it; what is in the files is in PolicyExportTests.
@Suite struct PolicyExportCommandTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.writeFinetuning()
  }

  private func export(_ arguments: String...) throws -> ProgramOutcome {
    try Attune.run(
      ["policy", "export", "--checkpoint", "policy.safetensors"] + arguments, in: folder)
  }

  @Test func printsInputsAndOutputs() throws {
    let outcome = try export("--output", "policy.onnx")
    #expect(outcome.status == 0, "\(outcome.output)")
    #expect(outcome.standardError == "wrote policy.onnx; docs/exporting.md tells how to run it\n")
    let rows = outcome.standardOutput.split(separator: "\n").map { line in
      line.split(separator: " ").prefix(2).joined(separator: " ")
    }
    #expect(rows == ["input observation", "input noise", "output actions", "output chunk"])
    #expect(outcome.standardOutput.contains("float32  [B, 4, 4, 2]  standard normal draws"))
    let whole = try folder.bytes("policy.onnx")
    let step = try export("-o", "step.onnx", "--step-by-step", "--quiet")
    #expect(step.status == 0 && step.standardError.isEmpty, "\(step.output)")
    #expect(step.standardOutput.contains("input   time_step   int64    []"))
    #expect(try folder.bytes("step.onnx") != whole)
    // The bytes do not depend on the file's name or place.
    #expect(try export("--output", "again.onnx").status == 0)
    #expect(try folder.bytes("again.onnx") == whole)
  }

  @Test func reportsJSON() throws {
    struct Report: Decodable {
      struct Port: Decodable {
        let name: String, type: String, shape: [Int?], description: String
      }
      let inputs: [Port], outputs: [Port], denoisingSteps: Int, output: String
    }
    let outcome = try export("--output", "policy.onnx", "--json", "--quiet")
    #expect(outcome.status == 0 && outcome.standardError.isEmpty, "\(outcome.output)")
    let report = try JSONDecoder().decode(Report.self, from: Data(outcome.standardOutput.utf8))
    #expect(report.denoisingSteps == 4 && report.output == "policy.onnx")
    #expect(report.inputs.map(\.name) == ["observation", "noise"])
    #expect(report.inputs[0].shape == [nil, 1, 5] && report.inputs[0].type == "float32")
    #expect(report.outputs.map(\.shape) == [[nil, 4, 2], [nil, 4, 2]])
    #expect(report.outputs.allSatisfy { $0.description.contains("in the environment's units") })
  }

  @Test func wrongOptionsAreNamed() throws {
    let cases: [(arguments: [String], status: Int32, words: String)] = [
      (["--output", "policy.safetensors"], 2, "--output must end in .onnx"),
      (["--output", ""], 2, "--output is empty"), ([], 2, "--output"),
      (["--output", "nowhere/p.onnx"], 1, "nowhere/p.onnx: cannot be"),
    ]
    for (arguments, status, words) in cases {
      let outcome = try Attune.run(
        ["policy", "export", "--checkpoint", "policy.safetensors"] + arguments, in: folder)
      #expect(outcome.status == status, "\(arguments): \(outcome.output)")
      #expect(outcome.output.contains(words), "\(arguments): \(outcome.output)")
      #expect(outcome.lines.count <= 2, "\(outcome.output)")
    }
    try FileManager.default.createDirectory(
      atPath: folder.file("taken.onnx"), withIntermediateDirectories: false)
    #expect(try export("--output", "taken.onnx").status == 1)
    // The name is read before the file.
    let outcome = try Attune.run(
      ["policy", "export", "--checkpoint", "nowhere", "--output", "p.onnx"], in: folder)
    #expect(outcome.status == 1 && outcome.output.contains("nowhere: cannot be opened"))
    #expect(!folder.holds("p.onnx"))
  }

  /// A policy that cannot be written that way is an error of one line, and leaves no file.
  @Test func gaussianPoliciesHaveNoSteps() throws {
    var checkpoint = try PolicyCheckpoint(path: folder.file("policy.safetensors"))
    checkpoint.configuration.network.kind = .gaussian
    var random = RandomStream(seed: 1)
    let network = try checkpoint.configuration.makeDensityNetwork(
      GaussianMLP.self,
      checkpoint.layout, actionSize: 2, random: &random)
    checkpoint.weights = [:]
    for (name, value) in network.parameters.values { checkpoint.weights["network.\(name)"] = value }
    try checkpoint.write(to: folder.file("policy.safetensors"))
    let step = try export("--output", "step.onnx", "--step-by-step")
    #expect(step.status == 1 && step.lines.count == 1, "\(step.output)")
    #expect(step.output.contains("a Gaussian policy has no denoising steps: leave out"))
    #expect(!folder.holds("step.onnx"))
    let whole = try export("--output", "policy.onnx")
    #expect(whole.status == 0 && !whole.output.contains("noise"), "\(whole.output)")
  }
}

import Diffusion
import Environments
import Files
import NeuralNetworks
import ONNX
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Exported policies as onnxruntime runs them, and the policies themselves with the same noise.
@Suite struct ONNXRuntimeTests {
  private static let bundled = [
    "hopper", "half-cheetah", "walker2d", "push-t",
  ].flatMap { ["\($0)-pretrained", "\($0)-finetuned"] }

  private static let runtime = ONNXRuntime(for: "policies in onnxruntime")
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// - Returns: the maximum difference of an action, on the scale on which its range is 2.
  @discardableResult
  private func expectSameActions(_ checkpoint: PolicyCheckpoint, _ name: String) throws -> Float {
    guard let runtime = Self.runtime else { return 0 }
    let path = folder.file("policy.onnx")
    let export = try PolicyExport(checkpoint, name: name)
    try export.model.write(to: path)
    let noise = export.model.graph.inputs.first { $0.value.name == "noise" }
    let decisions = try [1, 7].map {
      try ExportedDecision(
        of: checkpoint, rows: $0, noiseCount: noise.map { $0.value.size(1) } ?? 0)
    }
    let outputs = try runtime.run(
      path,
      decisions.map { decision in
        var inputs = ["observation": decision.observation]
        if noise != nil { inputs["noise"] = decision.noise }
        return inputs
      })
    let ranges = checkpoint.normalization.actions
    var largest: Float = 0
    for (decision, output) in zip(decisions, outputs) {
      let chunk = try #require(output["chunk"])
      try #require(chunk.shape == decision.chunk.shape)
      let expected = ranges.denormalized(decision.chunk.elements)
      for (index, (found, expected)) in zip(chunk.elements, expected).enumerated() {
        let component = index % ranges.size
        let half = (ranges.maximum[component] - ranges.minimum[component]) / 2
        largest = max(largest, abs(found - expected) / half)
      }
      let executed = chunk.slice(0..<checkpoint.configuration.actionSteps, along: 1)
      #expect(output["actions"]?.elements == executed.elements)
      #expect(output["actions"]?.shape == executed.shape)
    }
    #expect(largest <= 1e-5, "\(name)")
    return largest
  }

  @Test(arguments: bundled) func bundledPolicies(_ name: String) throws {
    let checkpoint = try PolicyCheckpoint(path: Repository.path("checkpoints/\(name).safetensors"))
    let largest = try expectSameActions(checkpoint, name)
    if Self.runtime != nil { print("\(name) in onnxruntime: largest difference \(largest)") }
  }

  @Test(arguments: ExportedPolicy.diffusion + ExportedPolicy.gaussian)
  func allKinds(_ policy: ExportedPolicy) throws {
    try expectSameActions(policy.makeCheckpoint(), policy.testDescription)
  }

  /// The network at each time step, with those weights that run it.
  @Test(arguments: ExportedPolicy.diffusion)
  func singleSteps(_ exported: ExportedPolicy) throws {
    guard let runtime = Self.runtime else { return }
    let checkpoint = try exported.makeCheckpoint()
    let path = folder.file("step.onnx")
    try PolicyExport(checkpoint, form: .denoisingStep, name: "step").model.write(to: path)
    let policy = try checkpoint.makeDiffusionPolicy()
    let times = policy.evaluating.sampler.timeSteps
    let steps = checkpoint.configuration.observationSteps
    var random = RandomStream(seed: 2)
    let chunk = random.normal([3, checkpoint.configuration.horizonSteps, 2])
    let states = random.uniform([3, steps, 5], in: -1..<1)
    let outputs = try runtime.run(
      path,
      times.map {
        ["chunk": chunk, "time_step": Tensor($0), "condition": states.flattened(from: 1)]
      })
    for (index, output) in outputs.enumerated() {
      let isFineTuned = index >= policy.firstTransition || exported.fineTunedSteps == 0
      let network = isFineTuned ? policy.fineTuned : policy.frozen
      let expected = network(
        chunk, timeSteps: .shared(times[index]), observations: Observations(states))
      expectClose(output["prediction"], expected, "step \(index)")
    }
  }

  /// The script of the samples runs what is exported, with and without noise.
  @Test(arguments: [ExportedPolicy.diffusion[1], ExportedPolicy.gaussian[1]])
  func sampleScriptActs(_ policy: ExportedPolicy) throws {
    guard let python = Self.runtime?.python else { return }
    let path = folder.file("policy.onnx")
    try PolicyExport(policy.makeCheckpoint(), name: "policy").model.write(to: path)
    let script = try String(
      contentsOfFile: Repository.path("samples/export/act.py"), encoding: .utf8)
    let lines = try python.run(script, [path]).split(separator: "\n")
    let actions = lines.filter { $0.hasPrefix("[") }
    #expect(actions.count == 3 * policy.configuration.actionSteps, "\(lines)")
    #expect(lines.contains { $0.hasPrefix("actions ['B', \(policy.configuration.actionSteps)") })
    #expect(Set(actions).count > 1 && !lines.joined().contains("nan"))
  }

  /// A user's own sampler, by the numbers in the metadata alone, gets the actions of the policy.
  @Test(arguments: ExportedPolicy.diffusion)
  func chainsByTheMetadata(_ exported: ExportedPolicy) throws {
    guard let python = Self.runtime?.python else { return }
    let checkpoint = try exported.makeCheckpoint()
    let path = folder.file("step.onnx")
    let export = try PolicyExport(checkpoint, form: .denoisingStep, name: "step")
    try export.model.write(to: path)
    let stds = try #require(export.model.metadata["schedule.std"])
    let noiseCount =
      1 + stds.split(separator: ",").count { $0.contains { "123456789".contains($0) } }
    let decision = try ExportedDecision(of: checkpoint, rows: 4, noiseCount: noiseCount)
    let given = ["observation": decision.observation, "noise": decision.noise]
    try NPZFile.write(given.mapValues { StoredTensor($0) }, to: folder.file("given.npz"))
    _ = try python.run(Self.sampler, [path, folder.file("given.npz"), folder.file("found.npz")])
    let found = try NPZFile(path: folder.file("found.npz")).tensor(named: "chunk")
    let expected = checkpoint.normalization.actions.denormalized(decision.chunk.elements)
    let ranges = checkpoint.normalization.actions
    for (index, (found, expected)) in zip(found.elements, expected).enumerated() {
      let half = (ranges.maximum[index % 2] - ranges.minimum[index % 2]) / 2
      #expect(abs(found - expected) <= 1e-5 * half)
    }
  }

  private static let sampler = """
    import json, sys
    import numpy, onnxruntime
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    given = numpy.load(sys.argv[2])
    texts = session.get_modelmeta().custom_metadata_map
    def read(name): return numpy.asarray(json.loads(texts[name]), numpy.float32)
    n, s, d = "normalization.", "schedule.", "denormalization."
    states = (given["observation"] - read(n + "minimum")) * read(n + "factor")
    states = states / read(n + "divisor") - read(n + "shift")
    condition = states.reshape(len(states), -1).astype(numpy.float32)
    draws = iter(given["noise"].swapaxes(0, 1))
    x = next(draws)
    columns = [read(s + name) for name in ("time_step", "signal_scale", "noise_scale",
               "estimate_factor", "sample_factor", "noise_factor", "std")]
    for t, a, b, estimate, sample, noise, std in zip(*columns):
        feed = {"chunk": x, "time_step": numpy.int64(t), "condition": condition}
        e = session.run(["prediction"], {k: numpy.asarray(v) for k, v in feed.items()})[0]
        limit = read(s + "estimate_limit")
        x0 = numpy.clip((x - b * e) / a, -limit, limit)
        x = estimate * x0 + sample * x + noise * (x - a * x0) / b
        if std > 0:
            x = x + std * numpy.clip(next(draws), -read(s + "draw_limit"), read(s + "draw_limit"))
    x = numpy.clip(x, -read(s + "final_limit"), read(s + "final_limit"))
    chunk = (x + 1) / 2 * read(d + "range") + read(d + "minimum")
    assert next(draws, None) is None
    numpy.savez(sys.argv[3], chunk=chunk.astype(numpy.float32))
    """
}

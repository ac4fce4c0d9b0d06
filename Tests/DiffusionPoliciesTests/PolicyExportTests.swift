import Configuration
import Diffusion
import Environments
import Files
import Foundation
import NeuralNetworks
import ONNX
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// What is in exported policies, without a runtime that runs them; that is `ONNXRuntimeTests`.
@Suite struct PolicyExportTests {
  private func policy(_ name: String) throws -> ExportedPolicy {
    try #require(
      (ExportedPolicy.diffusion + ExportedPolicy.gaussian).first { $0.testDescription == name })
  }

  private func export(
    _ name: String, form: PolicyExport.Form = .actions
  ) throws -> PolicyExport {
    try PolicyExport(policy(name).makeCheckpoint(), form: form, name: name)
  }

  private func shapes(_ ports: [ONNXPort]) -> [String] {
    ports.map { "\($0.value.name) \($0.value.element) \($0.value.shapeText)" }
  }

  private func graph(_ export: PolicyExport) -> ONNXGraph { export.model.graph }

  /// All operations, those of branches among them.
  private func nodes(_ graph: ONNXGraph) -> [ONNXNode] {
    func all(_ nodes: [ONNXNode]) -> [ONNXNode] {
      nodes.flatMap { node in
        [node]
          + node.attributes.values.flatMap { attribute -> [ONNXNode] in
            guard case .branch(let branch) = attribute else { return [] }
            return all(branch.nodes)
          }
      }
    }
    return all(graph.nodes)
  }

  @Test func inputsAndOutputsAreThoseOfThePolicy() throws {
    let ddpm = graph(try export("residual MLP, DDPM"))
    #expect(
      shapes(ddpm.inputs) == ["observation float [B, 1, 5]", "noise float [B, 6, 4, 2]"])
    #expect(shapes(ddpm.outputs) == ["actions float [B, 4, 2]", "chunk float [B, 4, 2]"])
    let ddim = graph(try export("MLP with all extras, DDIM"))
    #expect(
      shapes(ddim.inputs) == ["observation float [B, 2, 5]", "noise float [B, 1, 4, 2]"])
    #expect(shapes(ddim.outputs) == ["actions float [B, 3, 2]", "chunk float [B, 4, 2]"])
    let noisy = graph(try export("fine-tuned in part, DDIM with noise"))
    #expect(noisy.inputs[1].value.shape == [nil, 3, 4, 2])
    let gaussian = graph(try export("Gaussian"))
    #expect(shapes(gaussian.inputs) == ["observation float [B, 1, 5]"])
    let step = graph(try export("MLP with all extras, DDIM", form: .denoisingStep))
    #expect(
      shapes(step.inputs) == [
        "chunk float [B, 4, 2]", "time_step int []", "condition float [B, 10]",
      ])
    #expect(shapes(step.outputs) == ["prediction float [B, 4, 2]"])
  }

  /// Every name is given before it is read, and once.
  @Test(
    arguments: ExportedPolicy.diffusion + ExportedPolicy.gaussian, PolicyExport.Form.allCases)
  func namesAreGivenBeforeTheyAreRead(_ policy: ExportedPolicy, form: PolicyExport.Form) throws {
    if policy.configuration.network.kind == .gaussian, form == .denoisingStep { return }
    let graph = graph(
      try PolicyExport(policy.makeCheckpoint(), form: form, name: policy.testDescription))
    var given = graph.inputs.map(\.value.name) + graph.constants.map(\.name)
    func read(_ nodes: [ONNXNode]) {
      for node in nodes {
        for input in node.inputs { #expect(given.contains(input), "\(input)") }
        for case .branch(let branch) in node.attributes.values {
          read(branch.nodes)
          #expect(branch.nodes.last?.output == branch.output.name)
        }
        given.append(node.output)
      }
    }
    read(graph.nodes)
    #expect(Set(given).count == given.count)
    for output in graph.outputs { #expect(given.contains(output.value.name)) }
    // Nothing is there that nobody reads.
    let needed = Set(nodes(graph).flatMap(\.inputs))
      .union(graph.outputs.map(\.value.name))
    #expect(given.filter { !needed.contains($0) }.allSatisfy { $0.contains("Identity") })
    // What onnxruntime has for the CPU; ONNX's checker knows the rest.
    let operations = Set(nodes(graph).map(\.operation))
    #expect(operations.isSubset(of: Self.operations), "\(operations)")
  }

  private static let operations: Set = [
    "Add", "Cast", "Clip", "Concat", "Conv", "ConvTranspose", "Cos", "Div", "Erf", "Gather", "Gemm",
    "Identity", "If", "InstanceNormalization", "LayerNormalization", "LessOrEqual", "Mul", "Relu",
    "Reshape", "Sin", "Slice", "Softplus", "Sub", "Tanh", "Transpose",
  ]

  @Test func weightsAreTheCheckpointsOwn() throws {
    for (name, form) in [
      ("fine-tuned in part, DDPM", PolicyExport.Form.actions),
      ("U-Net without extras, fine-tuned", .denoisingStep), ("Gaussian", .actions),
    ] {
      let checkpoint = try policy(name).makeCheckpoint()
      let graph = graph(try PolicyExport(checkpoint, form: form, name: name))
      var held: [String: [Float]] = [:]
      for constant in graph.constants {
        if case .floats(let numbers) = constant.elements { held[constant.name] = numbers }
      }
      let isStepConstant = { (name: String) in
        // Made into numbers of each step where the chain is unrolled.
        form == .actions && name.contains("time_embedding")
      }
      // A standard deviation's bounds are no part of a mean.
      for (weight, value) in checkpoint.weights
      where !isStepConstant(weight) && !weight.contains("logvar") {
        let parts = held.keys.filter { $0 == weight || $0.hasPrefix(weight + ".columns_") }
        #expect(!parts.isEmpty, "\(weight)")
        let numbers = parts.flatMap { held[$0] ?? [] }
        #expect(numbers.sorted() == value.elements.sorted(), "\(weight)")
      }
    }
  }

  /// The pretrained weights run the first steps, the fine-tuned ones the last K'.
  @Test func lastStepsRunFineTunedWeights() throws {
    func networks(_ name: String) throws -> [Set<String>] {
      let graph = graph(try export(name))
      return (0..<6).map { step in
        // What depends on the observations alone stands in the first step that reads it.
        let inputs = graph.nodes.filter { $0.output.hasPrefix("step_\(step)/") }.flatMap(\.inputs)
        return Set(
          inputs.filter { $0.contains("mlp_mean") }.compactMap {
            $0.split(separator: ".").first.map(String.init)
          })
      }
    }
    let partly = try networks("fine-tuned in part, DDPM")
    #expect(
      partly == [["actor"], ["actor"], ["actor"], ["actor"], ["actor_ft"], ["actor_ft"]])
    #expect(try networks("fine-tuned in all steps").allSatisfy { $0 == ["actor_ft"] })
    #expect(try networks("residual MLP, DDPM").allSatisfy { $0 == ["network"] })
    let step = graph(try export("fine-tuned in part, DDPM", form: .denoisingStep))
    #expect(step.nodes.count { $0.operation == "If" } == 1)
    let whole = graph(try export("fine-tuned in all steps", form: .denoisingStep))
    #expect(!whole.nodes.contains { $0.operation == "If" })
    #expect(!whole.constants.contains { $0.name.hasPrefix("actor.") })
  }

  /// What the observations add to the first layer is the same at all steps.
  @Test func conditionsAreComputedOnce() throws {
    let nodes = graph(try export("residual MLP, DDPM")).nodes
    let readers = nodes.filter { $0.inputs.contains("network.mlp_mean.layers.0.bias") }
    #expect(readers.count == 1)
    #expect(nodes.count { $0.inputs.contains("network.mlp_mean.layers.1.l1.bias") } == 6)
  }

  @Test func scheduleAndLimitsAreInTheGraph() throws {
    let checkpoint = try policy("fine-tuned in part, DDIM with noise").makeCheckpoint()
    let graph = graph(try PolicyExport(checkpoint, name: "p"))
    let scalars = graph.constants.compactMap { constant -> Float? in
      guard constant.shape.isEmpty, case .floats(let numbers) = constant.elements else {
        return nil
      }
      return numbers[0]
    }
    let sampler = DDIMSampler(
      .policyCosine(timeStepCount: 6), count: 3, eta: .fixed(0.7), estimateLimit: 0.8,
      recomputesNoise: true)
    for index in 0..<3 {
      let numbers = sampler.coefficients(at: index)
      for number in [numbers.signalScale, numbers.noiseScale, numbers.estimate, numbers.noise] {
        #expect(scalars.contains(number))
      }
    }
    // The estimates', the noise's and the actions'.
    for limit in [0.8, 3, 1] as [Float] {
      #expect(scalars.contains(limit) && scalars.contains(-limit))
    }
    let clips = graph.nodes.filter { $0.operation == "Clip" }
    #expect(clips.count == 3 + 2 + 1)
  }

  @Test func metadataTellsWhatThePolicyIs() throws {
    let checkpoint = try policy("fine-tuned in part, DDPM").makeCheckpoint()
    let texts = try PolicyExport(checkpoint, name: "p").model.metadata
    #expect(texts["origin.license"] == "MIT" && texts["origin.seed"] == "5")
    #expect(texts["environment"] == "push-t" && texts["network"] == "mlp")
    #expect(texts["denoising_steps"] == "6" && texts["fine_tuned_steps"] == "2")
    #expect(texts["noise.count"] == "6" && texts["form"] == "actions")
    #expect(texts["input.observation"]?.contains("float32 [B, 1, 5]: the latest") == true)
    #expect(texts["output.actions"]?.contains("in the environment's units") == true)
    // All that the checkpoint's own metadata tells.
    let read = try PolicyCheckpoint(path: "p", weights: checkpoint.weights, metadata: texts)
    #expect(read.configuration == checkpoint.configuration)
    #expect(read.normalization == checkpoint.normalization && read.origin == checkpoint.origin)
    let step = try PolicyExport(checkpoint, form: .denoisingStep, name: "p").model.metadata
    let times = try JSONDecoder().decode(
      [Float].self, from: Data((step["schedule.time_step"] ?? "").utf8))
    #expect(times == [5, 4, 3, 2, 1, 0])
    #expect(step["schedule.fine_tuned"]?.hasPrefix("time steps up to 1 run") == true)
    #expect(step["form"] == "denoisingStep" && step["denoising_steps"] == "1")
  }

  /// Two exports of a policy are the same file.
  @Test func filesAreReproducible() throws {
    let folder = try TemporaryFolder()
    for name in ["one", "two"] {
      try export("fine-tuned in part, DDPM", form: .denoisingStep).model
        .write(to: folder.file(name))
    }
    #expect(try folder.bytes("one") == folder.bytes("two"))
    #expect(try folder.bytes("one").count > 10_000)
  }

  @Test func whatCannotBeWrittenIsNamed() throws {
    func expect(
      _ error: PolicyExportError, _ words: String, _ body: () throws -> Void,
      sourceLocation: SourceLocation = #_sourceLocation
    ) {
      #expect(throws: error, sourceLocation: sourceLocation) { try body() }
      #expect("\(error)".contains(words), sourceLocation: sourceLocation)
    }
    expect(.noDenoisingSteps, "leave out --step-by-step") {
      _ = try export("Gaussian", form: .denoisingStep)
    }
    var long = try policy("residual MLP, DDPM").makeCheckpoint()
    long.configuration.denoising.stepCount = 1001
    expect(.tooManySteps(1001, limit: 1000), "use --step-by-step") {
      _ = try PolicyExport(long, name: "p")
    }
    _ = try PolicyExport(long, form: .denoisingStep, name: "p")
    var seeing = try policy("residual MLP, DDPM").makeCheckpoint()
    seeing.cameras = [Camera(name: "front", width: 8, height: 8)]
    expect(.unwritable("a policy that sees images"), "attune policy serve") {
      _ = try PolicyExport(seeing, name: "p")
    }
    var registry = ObservationEncoderRegistry()
    registry.register("tanh") { _, layout, _ in TanhEncoder(layout) }
    registry.register("learned") { LearnedEncoder($1, random: &$2) }
    var encoded = try policy("residual MLP, DDPM").makeCheckpoint()
    encoded.configuration.encoder.kind = "tanh"
    expect(.unwritable("the encoder 'tanh'"), "Sources/DiffusionPolicies/Export") {
      _ = try PolicyExport(encoded, name: "p", encoders: registry)
    }
    encoded.configuration.encoder.kind = "learned"
    var random = RandomStream(seed: 1)
    let learned = try encoded.configuration.makeDenoiser(
      encoded.layout, actionSize: 2, encoders: registry, random: &random)
    encoded.weights = learned.parameters.values.prefixed("network")
    expect(.learnedEncoder("learned"), "'learned' has weights") {
      _ = try PolicyExport(encoded, form: .denoisingStep, name: "p", encoders: registry)
    }
    var graph = ONNXGraph()
    let x = graph.input("x", shape: [nil, 4, 2], description: "")
    let velocity = DDIMSampler(
      .policyCosine(timeStepCount: 6), count: 3, predictionType: .velocity)
    expect(.unwritable("DDIM of a network that predicts the velocity"), "to ONNX") {
      _ = try velocity.mean(from: x, prediction: x, at: 0, in: &graph)
    }
  }

  /// A user's encoder is written by what it says itself.
  @Test func ownEncodersAreWritten() throws {
    var registry = ObservationEncoderRegistry()
    registry.register("learned") { LearnedEncoder($1, random: &$2) }
    var checkpoint = try policy("residual MLP, DDPM").makeCheckpoint()
    checkpoint.configuration.encoder.kind = "learned"
    var random = RandomStream(seed: 1)
    checkpoint.weights = try checkpoint.configuration.makeDenoiser(
      checkpoint.layout, actionSize: 2, encoders: registry, random: &random
    ).parameters.values.prefixed("network")
    let graph = graph(try PolicyExport(checkpoint, name: "p", encoders: registry))
    #expect(graph.constants.contains { $0.name == "network.encoder.weight" })
  }
}

/// An encoder that nobody says how to write.
private final class TanhEncoder: ObservationEncoder {
  let encodingSize: Int

  init(_ layout: ObservationLayout) { encodingSize = layout.stepCount * layout.stateSize }

  func callAsFunction(_ observations: Observations) -> Tensor {
    observations.state.flattened(from: 1).tanh()
  }

  func collect(into parameters: inout NamedParameters) {}
}

/// An encoder with weights.
private final class LearnedEncoder: ObservationEncoder, ONNXObservationEncoder {
  let encodingSize = 3
  private let layer: Linear

  init(_ layout: ObservationLayout, random: inout some RandomSource) {
    layer = Linear(
      inputSize: layout.stepCount * layout.stateSize, outputSize: 3, random: &random)
  }

  func callAsFunction(_ observations: Observations) -> Tensor {
    layer(observations.state.flattened(from: 1))
  }

  func callAsFunction(_ states: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    layer(graph.flatten(states), in: &graph)
  }

  func collect(into parameters: inout NamedParameters) { layer.collect(into: &parameters) }
}

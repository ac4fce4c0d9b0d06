import NeuralNetworks
import ONNX
import Tensors
import TestSupport
import Testing

/// Layers as onnxruntime computes them and as Attune does.
@Suite struct LayerRuntimeTests {
  private static let runtime = ONNXRuntime(for: "layers in onnxruntime")
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// - Parameters:
  ///   - rowShape: of a row of the input.
  ///   - weights: of the layer.
  ///   - scale: of the inputs.
  ///   - write: the layer in a graph.
  ///   - layer: the layer itself.
  private func expectSame(
    _ rowShape: [Int], weights: NamedParameters? = nil, scale: Float = 1,
    write: (ONNXValue, inout ONNXGraph) -> ONNXValue, _ layer: (Tensor) -> Tensor,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    guard let runtime = Self.runtime else { return }
    var graph = ONNXGraph()
    if let weights { graph.name(weights, under: "layer") }
    let x = graph.input("x", shape: [nil] + rowShape, description: "")
    graph.output(write(x, &graph), "y", description: "")
    let path = folder.file("layer.onnx")
    try ONNXModel(graph, name: "layer", summary: "A layer.").write(to: path)
    var random = RandomStream(seed: 3)
    let batches = [1, 4].map { random.normal([$0] + rowShape) * scale }
    let outputs = try runtime.run(path, batches.map { ["x": $0] })
    for (batch, output) in zip(batches, outputs) {
      expectClose(output["y"], layer(batch), relative: 2e-6, sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: Activation.allCases, [1, 30] as [Float])
  func activations(_ activation: Activation, scale: Float) throws {
    try expectSame([50], scale: scale) { x, graph in
      graph.apply(activation, to: x)
    } _: {
      $0.applying(activation)
    }
  }

  @Test(arguments: [false, true])
  func mlps(usesLayerNorm: Bool) throws {
    var random = RandomStream(seed: 1)
    let plain = MLP(
      sizes: [6, 16, 8, 3], activation: .mish, outputActivation: .tanh,
      usesLayerNorm: usesLayerNorm, usesFinalLayerNorm: usesLayerNorm, random: &random)
    GoldenNetworks.drawWeights(plain)
    try expectSame([6], weights: plain.parameters) { x, graph in
      plain([graph.slice(x, 0..<2, along: 1), graph.slice(x, 2..<6, along: 1)], in: &graph)
    } _: {
      plain($0)
    }
    let residual = ResidualMLP(
      sizes: [6, 16, 16, 16, 16, 16, 3], activation: .relu, outputActivation: .silu,
      usesLayerNorm: usesLayerNorm, usesFinalLayerNorm: usesLayerNorm, random: &random)
    GoldenNetworks.drawWeights(residual)
    try expectSame([6], weights: residual.parameters) { x, graph in
      residual([x], in: &graph)
    } _: {
      residual($0)
    }
  }

  @Test func convolutions() throws {
    var random = RandomStream(seed: 1)
    func expectSame(
      _ layer: any Module, _ write: (ONNXValue, inout ONNXGraph) -> ONNXValue,
      _ run: (Tensor) -> Tensor
    ) throws {
      GoldenNetworks.drawWeights(layer)
      try self.expectSame([8, 6], weights: layer.parameters) { x, graph in
        graph.transpose(write(graph.transpose(x, [0, 2, 1]), &graph), [0, 2, 1])
      } _: {
        run($0)
      }
    }
    let plain = Conv1d(
      inputChannels: 6, outputChannels: 4, kernelSize: 5, padding: 2, random: &random)
    try expectSame(plain, { plain($0, in: &$1) }, { plain($0) })
    let halving = Conv1d(
      inputChannels: 6, outputChannels: 5, kernelSize: 3, stride: 2, padding: 1, hasBias: false,
      random: &random)
    try expectSame(halving, { halving($0, in: &$1) }, { halving($0) })
    let doubling = ConvTranspose1d(
      inputChannels: 6, outputChannels: 3, kernelSize: 4, stride: 2, padding: 1, random: &random)
    try expectSame(doubling, { doubling($0, in: &$1) }, { doubling($0) })
    let groups = GroupNorm(groupCount: 3, channelCount: 6, epsilon: 1e-3)
    try expectSame(groups, { groups($0, in: &$1) }, { groups($0) })
  }

  @Test func oneBranchIsChosen() throws {
    guard let runtime = Self.runtime else { return }
    var graph = ONNXGraph()
    let x = graph.input("x", shape: [nil, 2], description: "")
    let t = graph.input("t", shape: [], element: .int, description: "")
    let y = graph.choose(graph.isAtMost(t, graph.constant(ints: [4], shape: []))) { _ in
      x
    } else: {
      $0.multiply($0.add(x, 1), by: 2)
    }
    graph.output(graph.add(y, 1), "y", description: "")
    let path = folder.file("branches.onnx")
    try ONNXModel(graph, name: "branches", summary: "").write(to: path)
    let numbers = Tensor(shape: [1, 2], elements: [1, 3])
    let outputs = try runtime.run(path, [4, 5].map { ["x": numbers, "t": Tensor($0)] })
    #expect(outputs.map { $0["y"]?.elements } == [[2, 4], [5, 9]])
  }
}

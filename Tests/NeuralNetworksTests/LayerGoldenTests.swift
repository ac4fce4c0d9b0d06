import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// Every layer against PyTorch, forward and gradients.
@Suite struct LayerGoldenTests {
  private let goldens: GoldenTensors
  private var random = RandomStream(seed: 1)

  init() throws { goldens = try GoldenTensors("NeuralNetworks/layers.safetensors") }

  /// Loads the golden's weights, runs the layer and compares its output and all gradients.
  private func check(
    _ name: String, _ module: any Module, inputs: [String], hasChannels: Bool = false,
    relative: Float = 1e-5, sourceLocation: SourceLocation = #_sourceLocation,
    _ forward: ([Tensor]) -> Tensor
  ) throws {
    let parameters = module.parameters
    try parameters.load(goldens.tensors(of: name, role: "parameter"))
    func inner(_ x: Tensor) -> Tensor { hasChannels ? x.channelsLast : x }
    func outer(_ x: Tensor) -> Tensor { hasChannels ? x.channelsFirst : x }
    func golden(_ input: String) throws -> Tensor { try inner(goldens["\(name)/input.\(input)"]) }
    let tracked = try inputs.map { try golden($0).tracked() }
    let upstream = try inner(goldens["\(name)/upstream"])
    var output = Tensor(0)
    let gradients = gradients(of: upstream) {
      output = forward(tracked)
      return output
    }
    expectClose(
      outer(output.detached()), try goldens["\(name)/output"], relative: relative, "\(name) output",
      sourceLocation: sourceLocation)
    let unrecorded = forward(tracked.map { $0.detached() })
    expectClose(
      unrecorded, output.detached(), relative: 0, absolute: 0, "\(name) without recording",
      sourceLocation: sourceLocation)
    var expected = try goldens.tensors(of: name, role: "gradient")
    for (input, tensor) in zip(inputs, tracked) {
      let found = expected.removeValue(forKey: input)
      let golden = try #require(found)
      expectClose(
        gradients[tensor].map(outer), golden, relative: relative, "\(name) gradient of \(input)",
        sourceLocation: sourceLocation)
    }
    #expect(expected.count == parameters.count, sourceLocation: sourceLocation)
    for (key, parameter) in parameters {
      let golden = try #require(expected[key])
      expectClose(
        gradients[parameter.leaf], golden, relative: relative, "\(name) gradient of \(key)",
        sourceLocation: sourceLocation)
    }
  }

  @Test mutating func linear() throws {
    let layer = Linear(inputSize: 11, outputSize: 7, random: &random)
    try check("linear", layer, inputs: ["x"]) { layer($0[0]) }
    let wide = Linear(inputSize: 100, outputSize: 70, random: &random)
    try check("linear-wide", wide, inputs: ["x"]) { wide($0[0]) }
    let bare = Linear(inputSize: 11, outputSize: 7, hasBias: false, random: &random)
    try check("linear-no-bias", bare, inputs: ["x"]) { bare($0[0]) }
  }

  @Test mutating func embedding() throws {
    let layer = Embedding(count: 9, size: 5, random: &random)
    try check("embedding", layer, inputs: []) { _ in layer([3, 0, 3, 8, 1]) }
  }

  @Test mutating func convolution1D() throws {
    let plain = Conv1d(
      inputChannels: 6, outputChannels: 10, kernelSize: 5, padding: 2, random: &random)
    try check("conv1d", plain, inputs: ["x"], hasChannels: true) { plain($0[0]) }
    let strided = Conv1d(
      inputChannels: 6, outputChannels: 6, kernelSize: 3, stride: 2, padding: 1, random: &random)
    try check("conv1d-stride", strided, inputs: ["x"], hasChannels: true) { strided($0[0]) }
    let transposed = ConvTranspose1d(
      inputChannels: 6, outputChannels: 8, kernelSize: 4, stride: 2, padding: 1, random: &random)
    try check("conv-transpose1d", transposed, inputs: ["x"], hasChannels: true) {
      transposed($0[0])
    }
  }

  @Test mutating func convolution2D() throws {
    func layer(
      _ inputs: Int, _ outputs: Int, _ kernel: Int = 3, stride: Int = 1, padding: Int = 1,
      hasBias: Bool = true
    ) -> Conv2d {
      Conv2d(
        inputChannels: inputs, outputChannels: outputs, kernelSize: kernel, stride: stride,
        padding: padding, hasBias: hasBias, random: &random)
    }
    for (name, layer) in [
      ("conv2d", layer(3, 10)), ("conv2d-no-padding", layer(5, 4, padding: 0)),
      ("conv2d-stride", layer(16, 16, stride: 2)),
      ("conv2d-pointwise", layer(8, 12, 1, padding: 0, hasBias: false)),
    ] {
      try check(name, layer, inputs: ["x"], hasChannels: true) { layer($0[0]) }
    }
    let winograd = layer(32, 48)
    try check("conv2d-winograd", winograd, inputs: ["x"], hasChannels: true, relative: 1e-4) {
      winograd($0[0])
    }
  }

  @Test func normalizations() throws {
    let layerNorm = LayerNorm(size: 37)
    try check("layer-norm", layerNorm, inputs: ["x"]) { layerNorm($0[0]) }
    let groupNorm = GroupNorm(groupCount: 4, channelCount: 24)
    try check("group-norm", groupNorm, inputs: ["x"], hasChannels: true) { groupNorm($0[0]) }
    let line = GroupNorm(groupCount: 8, channelCount: 16, epsilon: 1e-3)
    try check("group-norm-line", line, inputs: ["x"], hasChannels: true) { line($0[0]) }
    let fused = Sequence(GroupNorm(groupCount: 6, channelCount: 24))
    try check("group-norm-silu", fused, inputs: ["x"], hasChannels: true) {
      fused.module($0[0], appliesSiLU: true)
    }
  }

  /// Gives a module the name `0`, as in `torch.nn.Sequential`.
  private final class Sequence<Inner: Module>: Module {
    let module: Inner
    init(_ module: Inner) { self.module = module }
    func collect(into parameters: inout NamedParameters) { parameters.add("0", module) }
  }

  @Test mutating func attention() throws {
    let selfAttention = MultiHeadAttention(size: 24, headCount: 3, random: &random)
    try check("attention-self", selfAttention, inputs: ["query"]) { selfAttention($0[0]) }
    let cross = MultiHeadAttention(size: 24, headCount: 4, random: &random)
    try check("attention-cross", cross, inputs: ["query", "context"]) {
      cross($0[0], context: $0[1])
    }
    let causal = MultiHeadAttention(size: 24, headCount: 2, random: &random)
    try check("attention-causal", causal, inputs: ["query"]) { causal($0[0], isCausal: true) }
  }

  @Test mutating func mlps() throws {
    let plain = MLP(sizes: [7, 16, 16, 3], activation: .mish, random: &random)
    try check("mlp", plain, inputs: ["x"]) { plain($0[0]) }
    let normalized = MLP(
      sizes: [7, 16, 16, 3], activation: .relu, usesLayerNorm: true, random: &random)
    try check("mlp-norm", normalized, inputs: ["x"]) { normalized($0[0]) }
    let residual = ResidualMLP(sizes: [7, 16, 16, 16, 3], activation: .relu, random: &random)
    try check("residual-mlp", residual, inputs: ["x"]) { residual($0[0]) }
    let residualNorm = ResidualMLP(
      sizes: [7, 16, 16, 16, 16, 16, 3], activation: .mish, usesLayerNorm: true,
      random: &random)
    try check("residual-mlp-norm", residualNorm, inputs: ["x"]) { residualNorm($0[0]) }
  }

  @Test func sinusoidalEmbedding() throws {
    let times: [Float] = [0, 1, 17, 999]
    // Sines of large angles magnify the last bit of a frequency.
    expectClose(
      SinusoidalEmbedding(size: 16)(times), try goldens["sinusoidal-reference/output"],
      absolute: 1e-4, "reference")
    expectClose(
      SinusoidalEmbedding(size: 16, frequencyShift: 0, isCosineFirst: true)(times),
      try goldens["sinusoidal-diffusers/output"], absolute: 1e-4, "diffusers")
  }
}

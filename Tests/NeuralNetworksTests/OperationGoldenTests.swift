import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// Operations and losses against PyTorch, forward and gradients.
@Suite struct OperationGoldenTests {
  private let goldens: GoldenTensors

  init() throws { goldens = try GoldenTensors("NeuralNetworks/operations.safetensors") }

  private func check(
    _ name: String, inputs: [String] = ["x"], relative: Float = 1e-5, absolute: Float = 1e-7,
    sourceLocation: SourceLocation = #_sourceLocation, _ function: ([Tensor]) -> Tensor
  ) throws {
    let tracked = try inputs.map { try goldens["\(name)/input.\($0)"].tracked() }
    var output = Tensor(0)
    let gradients = gradients(of: try goldens["\(name)/upstream"]) {
      output = function(tracked)
      return output
    }
    expectClose(
      output.detached(), try goldens["\(name)/output"], relative: relative, absolute: absolute,
      "\(name) output", sourceLocation: sourceLocation)
    for (input, tensor) in zip(inputs, tracked) {
      expectClose(
        gradients[tensor], try goldens["\(name)/gradient.\(input)"], relative: relative,
        absolute: absolute, "\(name) gradient of \(input)", sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: Activation.allCases.filter { $0 != .identity })
  func activation(_ activation: Activation) throws {
    try check("activation-\(activation.rawValue)") { $0[0].applying(activation) }
    // Relative to each element: the ends of the range must not hide what happens near zero.
    let name = "activation-\(activation.rawValue)"
    let x = try goldens["\(name)/input.x"]
    let expected = try goldens["\(name)/output"].elements
    // The two GELUs lose digits in 1 + erf(x) and 1 + tanh(x), in PyTorch as here.
    let lost: Float = activation == .gelu || activation == .geluTanh ? 2e-7 : 0
    for (index, value) in x.applying(activation).elements.enumerated() {
      let tolerance =
        2e-6 * max(abs(expected[index]), 1e-2) + lost * min(abs(x.elements[index]), 6)
      #expect(abs(value - expected[index]) <= tolerance, "\(name) at \(x.elements[index])")
    }
  }

  @Test func elementaryFunctions() throws {
    try check("exp") { $0[0].exp() }
    try check("log") { $0[0].log() }
    try check("square-root") { $0[0].squareRoot() }
    for (name, function) in [("exp", { $0.exp() }), ("log", { $0.log() })]
      as [(String, (Tensor) -> Tensor)]
    {
      let values = function(try goldens["\(name)/input.x"]).elements
      for (value, expected) in zip(values, try goldens["\(name)/output"].elements) {
        #expect(abs(value - expected) <= 4e-7 * abs(expected) + 1e-37, "\(name)")
      }
    }
  }

  @Test func normalizations() throws {
    try check("softmax") { $0[0].softmax() }
    try check("log-softmax") { $0[0].logSoftmax() }
  }

  @Test func products() throws {
    try check("matmul", inputs: ["a", "b"]) { $0[0].matmul($0[1]) }
    try check("matmul-deep", inputs: ["a", "b"]) { $0[0].matmul($0[1]) }
  }

  @Test func upsampling() throws {
    try check("upsample") { $0[0].channelsLast.upsampledNearest(by: 2).channelsFirst }
  }

  @Test(arguments: [false, true]) func attention(_ isCausal: Bool) throws {
    // [B, heads, L, size] there, [B, L, heads * size] here.
    func merged(_ x: Tensor) -> Tensor { x.transposed([0, 2, 1, 3]).flattened(from: 2) }
    try check(
      "sdpa-\(isCausal ? "causal" : "full")", inputs: ["query", "key", "value"]
    ) {
      merged($0[0]).attention(
        keys: merged($0[1]), values: merged($0[2]), headCount: 2, isCausal: isCausal
      ).reshaped(to: [1, 290, 2, 10]).transposed([0, 2, 1, 3])
    }
  }

  @Test func comparisons() throws {
    try check("clamp") { $0[0].clamped(to: -0.5, 0.7) }
    try check("maximum", inputs: ["a", "b"]) { Tensor.maximum($0[0], $0[1]) }
    try check("minimum", inputs: ["a", "b"]) { Tensor.minimum($0[0], $0[1]) }
  }

  @Test func gaussianLogDensity() throws {
    try check("gaussian-log-density", inputs: ["x", "mean", "deviation"]) {
      $0[0].gaussianLogDensity(mean: $0[1], standardDeviation: $0[2])
    }
  }

  @Test func losses() throws {
    let pair = ["prediction", "target"]
    try check("loss-mse", inputs: pair) { Losses.meanSquaredError($0[0], $0[1]) }
    try check("loss-mae", inputs: pair) { Losses.meanAbsoluteError($0[0], $0[1]) }
    try check("loss-huber", inputs: pair) { Losses.huber($0[0], $0[1], threshold: 0.7) }
    try check("loss-cross-entropy", inputs: ["prediction"]) {
      Losses.crossEntropy($0[0], targets: [4, 0, 2, 2, 1, 3])
    }
    try check("loss-binary-cross-entropy", inputs: pair) {
      Losses.binaryCrossEntropy(logits: $0[0], targets: $0[1])
    }
  }
}

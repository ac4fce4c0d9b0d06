import NeuralNetworks
import Tensors
import TestSupport
import Testing

/// The draws of PyTorch's CPU generator, bit for bit, and the first weights of its layers.
@Suite struct RandomGoldenTests {
  private let goldens: GoldenTensors

  init() throws { goldens = try GoldenTensors("NeuralNetworks/randoms.safetensors") }

  @Test(arguments: [0, 42, 8_589_934_599] as [UInt64]) func draws(_ seed: UInt64) throws {
    for size in [1, 5, 15, 16, 17, 40, 1000] {
      var uniform = TorchRandom(seed: seed)
      #expect(uniform.uniform([size]).elements == (try goldens["uniform-\(seed)-\(size)"].elements))
      var normal = TorchRandom(seed: seed)
      #expect(normal.normal([size]).elements == (try goldens["normal-\(seed)-\(size)"].elements))
    }
  }

  @Test func sequence() throws {
    var random = TorchRandom(seed: 11)
    let draws = [
      random.normal([5]), random.uniform([3]), random.normal([20]), random.normal([4]),
      random.normal([2, 9]),
    ]
    for (index, draw) in draws.enumerated() {
      let golden = try goldens["sequence-\(index)"]
      #expect(draw.shape == golden.shape)
      #expect(draw.elements == golden.elements)
    }
  }

  @Test func initialWeights() throws {
    func check(_ name: String, _ make: (inout TorchRandom) -> any Module) throws {
      var random = TorchRandom(seed: 3)
      let parameters = make(&random).parameters
      for (key, parameter) in parameters {
        expectClose(
          parameter.value, try goldens["initial-\(name)/\(key)"], relative: 1e-6, "\(name) \(key)")
      }
    }
    try check("linear") { Linear(inputSize: 13, outputSize: 9, random: &$0) }
    try check("conv1d") {
      Conv1d(inputChannels: 4, outputChannels: 6, kernelSize: 5, random: &$0)
    }
    try check("conv-transpose1d") {
      ConvTranspose1d(inputChannels: 4, outputChannels: 6, kernelSize: 4, random: &$0)
    }
    try check("conv2d") {
      Conv2d(inputChannels: 4, outputChannels: 6, kernelSize: 3, random: &$0)
    }
    try check("embedding") { Embedding(count: 7, size: 5, random: &$0) }
    try check("attention") { MultiHeadAttention(size: 12, headCount: 3, random: &$0) }
  }
}

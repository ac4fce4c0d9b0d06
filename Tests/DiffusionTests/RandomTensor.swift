import Tensors

/// Standard normal elements.
func randomTensor(_ shape: [Int], seed: UInt64 = 1) -> Tensor {
  var random = RandomStream(seed: seed, purpose: "test")
  return random.normal(shape)
}

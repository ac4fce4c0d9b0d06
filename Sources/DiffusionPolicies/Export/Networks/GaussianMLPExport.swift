import ONNX

extension GaussianMLP: ONNXGaussianNetwork {
  /// The mean of the chunks, `[B, Tp, Da]`.
  public func mean(_ condition: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    let features = base.map { $0([condition], in: &graph) } ?? condition
    let raw = graph.reshape(
      mean([features], in: &graph), to: [condition.shape[0]] + chunkShape)
    return squashesMean ? graph.apply(.tanh, to: raw) : raw
  }
}

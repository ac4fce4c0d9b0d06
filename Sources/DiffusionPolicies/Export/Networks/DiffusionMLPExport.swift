import ONNX

extension DiffusionMLP: ONNXChunkDenoiser {
  /// [chunk, time embedding, observations] through the MLP: what the last two add to the first layer
  /// is a summand of its own.
  public func callAsFunction(
    _ chunks: ONNXValue, time: ONNXTime, condition: ONNXValue, in graph: inout ONNXGraph
  ) -> ONNXValue {
    let condition = observationEncoder.map { $0([condition], in: &graph) } ?? condition
    let input = [graph.flatten(chunks), timeEmbedding(time, in: &graph), condition]
    return graph.reshape(mean(input, in: &graph), to: chunks.shape)
  }
}

extension ConfiguredMLP {
  /// An input in parts, `[B, ...]` each, through the MLP.
  func callAsFunction(_ parts: [ONNXValue], in graph: inout ONNXGraph) -> ONNXValue {
    switch self {
    case .plain(let network): network(parts, in: &graph)
    case .residual(let network): network(parts, in: &graph)
    }
  }
}

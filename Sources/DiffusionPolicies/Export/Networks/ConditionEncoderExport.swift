import ONNX

extension ConditionEncoder {
  /// [time embedding, observations], `[1, ...]` and `[B, ...]`, to `[B, outputSize]`.
  func callAsFunction(_ parts: [ONNXValue], in graph: inout ONNXGraph) -> ONNXValue {
    guard isDeep else {
      return layers[0](parts.map { graph.apply(activation, to: $0) }, in: &graph)
    }
    let first = graph.apply(activation, to: layers[0](parts, in: &graph))
    return layers[2](graph.apply(activation, to: layers[1](first, in: &graph)), in: &graph)
  }
}

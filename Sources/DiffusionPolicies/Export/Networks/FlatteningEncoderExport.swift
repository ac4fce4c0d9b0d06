import ONNX

extension FlatteningEncoder: ONNXObservationEncoder {
  /// `[B, To, Do]` to `[B, To Do]`.
  public func callAsFunction(_ states: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.flatten(states)
  }
}

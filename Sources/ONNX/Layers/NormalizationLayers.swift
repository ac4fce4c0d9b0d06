import NeuralNetworks

extension LayerNorm {
  /// `[..., size]` to the same shape.
  public func callAsFunction(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    graph.node(
      "LayerNormalization", [x, graph.weight(weight), graph.weight(bias)],
      ["axis": .int(-1), "epsilon": .float(epsilon)], shape: x.shape)
  }
}

extension GroupNorm {
  /// `[B, channelCount, L]` to the same shape: channels first, as ONNX has them.
  ///
  /// Operator set 17 has no operator for groups. A group as a channel of its own, whose length is
  /// that of its channels together, is what InstanceNormalization normalizes.
  public func callAsFunction(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    let (channels, length) = (x.size(1), x.size(2))
    let groups = graph.reshape(
      x, to: [x.shape[0], groupCount, channels / groupCount * length])
    let one = graph.constant([Float](repeating: 1, count: groupCount), shape: [groupCount])
    let zero = graph.constant([Float](repeating: 0, count: groupCount), shape: [groupCount])
    let normalized = graph.node(
      "InstanceNormalization", [groups, one, zero], ["epsilon": .float(epsilon)],
      shape: groups.shape)
    let scaled = graph.multiply(
      graph.reshape(normalized, to: x.shape), by: graph.weight(weight, shape: [channels, 1]))
    return graph.add(scaled, graph.weight(bias, shape: [channels, 1]))
  }
}

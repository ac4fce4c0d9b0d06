import NeuralNetworks

extension Conv1d {
  /// `[B, inputChannels, L]` to `[B, outputChannels, L']`: channels first, as ONNX has them.
  public func callAsFunction(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    let (outputs, kernel) = (weight.value.shape[0], weight.value.shape[2])
    let length = (x.size(2) + 2 * padding - kernel) / stride + 1
    return graph.node(
      "Conv", [x, graph.weight(weight)] + (bias.map { [graph.weight($0)] } ?? []),
      [
        "kernel_shape": .ints([kernel]), "strides": .ints([stride]),
        "pads": .ints([padding, padding]),
      ], shape: [x.shape[0], outputs, length])
  }
}

extension ConvTranspose1d {
  /// `[B, inputChannels, L]` to `[B, outputChannels, (L - 1) stride - 2 padding + kernelSize]`.
  public func callAsFunction(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    let (outputs, kernel) = (weight.value.shape[1], weight.value.shape[2])
    let length = (x.size(2) - 1) * stride - 2 * padding + kernel
    return graph.node(
      "ConvTranspose", [x, graph.weight(weight)] + (bias.map { [graph.weight($0)] } ?? []),
      [
        "kernel_shape": .ints([kernel]), "strides": .ints([stride]),
        "pads": .ints([padding, padding]),
      ], shape: [x.shape[0], outputs, length])
  }
}

import ONNX

extension Unet1D: ONNXChunkDenoiser {
  /// The U-Net with channels first, as ONNX's convolutions have them: `[B, C, L]` inside.
  public func callAsFunction(
    _ chunks: ONNXValue, time: ONNXTime, condition: ONNXValue, in graph: inout ONNXGraph
  ) -> ONNXValue {
    let condition = [
      timeEmbedding(time, in: &graph),
      observationEncoder.map { $0([condition], in: &graph) } ?? condition,
    ]
    var x = graph.transpose(chunks, [0, 2, 1])
    var skipped: [ONNXValue] = []
    for level in down {
      for block in level.blocks { x = block(x, condition: condition, in: &graph) }
      skipped.append(x)
      if let downsampling = level.downsampling { x = downsampling(x, in: &graph) }
    }
    for block in middle { x = block(x, condition: condition, in: &graph) }
    for level in up {
      x = graph.concatenate([x, skipped.removeLast()], along: 1)
      for block in level.blocks { x = block(x, condition: condition, in: &graph) }
      if let upsampling = level.upsampling { x = upsampling(x, in: &graph) }
    }
    return graph.transpose(output(finalBlock(x, in: &graph), in: &graph), [0, 2, 1])
  }
}

extension ConvolutionBlock1D {
  /// `[B, inputChannels, L]` to `[B, outputChannels, L]`.
  fileprivate func callAsFunction(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    let sum = convolution(x, in: &graph)
    return graph.apply(activation, to: norm.map { $0(sum, in: &graph) } ?? sum)
  }
}

extension ResidualBlock1D {
  /// `[B, inputChannels, L]` to `[B, outputChannels, L]`.
  fileprivate func callAsFunction(
    _ x: ONNXValue, condition: [ONNXValue], in graph: inout ONNXGraph
  ) -> ONNXValue {
    let modulation = conditionEncoder(condition, in: &graph)
    let batch = modulation.shape[0]
    func channels(_ start: Int, in graph: inout ONNXGraph) -> ONNXValue {
      let part = graph.slice(modulation, start..<(start + channelCount), along: 1)
      return graph.reshape(part, to: [batch, channelCount, 1])
    }
    var features = blocks[0](x, in: &graph)
    if scalesFeatures {
      let scale = channels(0, in: &graph)
      features = graph.add(
        graph.multiply(scale, by: features), channels(channelCount, in: &graph))
    } else {
      features = graph.add(features, channels(0, in: &graph))
    }
    return graph.add(
      blocks[1](features, in: &graph), residual.map { $0(x, in: &graph) } ?? x)
  }
}

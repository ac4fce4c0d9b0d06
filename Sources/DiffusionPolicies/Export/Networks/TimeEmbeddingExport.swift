import ONNX
import Tensors

extension TimeEmbedding {
  /// `[1, size]`: numbers where the time is known, or the operations that make them.
  func callAsFunction(_ time: ONNXTime, in graph: inout ONNXGraph) -> ONNXValue {
    switch time {
    case .constant(let time): return graph.constant(withoutRecording { self([time]) })
    case .input(let time):
      let frequencies = sinusoids.frequencies
      precondition(!sinusoids.isCosineFirst, "the DPPO reference has sines first")
      let angles = graph.multiply(
        graph.constant(frequencies, shape: [1, frequencies.count]), by: time)
      let embedding = graph.concatenate(
        [graph.elementwise("Sin", angles), graph.elementwise("Cos", angles)], along: 1)
      return second(
        graph.apply(.mish, to: first(embedding, in: &graph)), in: &graph)
    }
  }
}

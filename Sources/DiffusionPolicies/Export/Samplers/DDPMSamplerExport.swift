import Diffusion
import ONNX

extension DDPMSampler: ONNXSampler {
  func mean(
    from sample: ONNXValue, prediction: ONNXValue, at index: Int, in graph: inout ONNXGraph
  ) throws(PolicyExportError) -> ONNXValue {
    try predictionType.requireNoise("DDPM")
    let coefficients = coefficients(at: index)
    let estimate = graph.estimate(
      from: sample, noise: prediction, coefficients, limit: estimateLimit)
    return graph.add(
      graph.multiply(estimate, by: coefficients.estimate),
      graph.multiply(sample, by: coefficients.sample))
  }
}

import Diffusion
import ONNX

extension DDIMSampler: ONNXSampler {
  func mean(
    from sample: ONNXValue, prediction: ONNXValue, at index: Int, in graph: inout ONNXGraph
  ) throws(PolicyExportError) -> ONNXValue {
    try predictionType.requireNoise("DDIM")
    let coefficients = coefficients(at: index)
    let estimate = graph.estimate(
      from: sample, noise: prediction, coefficients, limit: estimateLimit)
    var noise = prediction
    if recomputesNoise {
      let rest = graph.subtract(
        sample, graph.multiply(estimate, by: coefficients.signalScale))
      noise = graph.divide(rest, by: coefficients.noiseScale)
    }
    if let noiseLimit { noise = graph.clip(noise, to: noiseLimit) }
    return graph.add(
      graph.multiply(estimate, by: coefficients.estimate),
      graph.multiply(noise, by: coefficients.noise))
  }
}

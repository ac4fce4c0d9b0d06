import Diffusion
import ONNX

/// A sampler that says how the mean of its transition is written to ONNX.
protocol ONNXSampler: MarkovSampler {
  /// Estimates of x_0 are clamped to +- this.
  var estimateLimit: Float? { get }

  /// The numbers of a transition.
  func coefficients(at index: Int) -> SamplingCoefficients

  /// The mean of the next sample, after what the network predicts for this one.
  ///
  /// - Throws: `PolicyExportError.unwritable` for predictions that are not the noise.
  func mean(
    from sample: ONNXValue, prediction: ONNXValue, at index: Int, in graph: inout ONNXGraph
  ) throws(PolicyExportError) -> ONNXValue
}

extension ONNXGraph {
  /// The estimate of x_0, clamped: (x_t - s e) / a.
  mutating func estimate(
    from sample: ONNXValue, noise: ONNXValue, _ coefficients: SamplingCoefficients,
    limit: Float?
  ) -> ONNXValue {
    let signal = subtract(sample, multiply(noise, by: coefficients.noiseScale))
    let estimate = divide(signal, by: coefficients.signalScale)
    return limit.map { clip(estimate, to: $0) } ?? estimate
  }
}

extension PredictionType {
  /// - Throws: `PolicyExportError.unwritable` unless this is the noise, which policies predict.
  func requireNoise(_ sampler: String) throws(PolicyExportError) {
    guard self == .noise else {
      throw .unwritable("\(sampler) of a network that predicts the \(rawValue)")
    }
  }
}

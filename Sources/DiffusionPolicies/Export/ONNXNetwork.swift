import ONNX
import Tensors

/// A denoising network that says how it is written to ONNX; each does in a file of its own.
public protocol ONNXChunkDenoiser: ChunkDenoiser {
  /// The prediction for every chunk, as `callAsFunction` of the network itself.
  ///
  /// - Parameters:
  ///   - chunks: noisy action chunks `[B, Tp, Da]`.
  ///   - time: the diffusion time, shared by the batch.
  ///   - condition: the observations, encoded `[B, Dc]`.
  ///   - graph: gets the operations.
  /// - Returns: `[B, Tp, Da]`.
  func callAsFunction(
    _ chunks: ONNXValue, time: ONNXTime, condition: ONNXValue, in graph: inout ONNXGraph
  ) -> ONNXValue
}

/// The network of a Gaussian policy that says how its mean is written to ONNX.
public protocol ONNXGaussianNetwork: DensityNetwork {
  /// The mean `[B, Tp, Da]` of the chunks after observations encoded as `[B, Dc]`.
  func mean(_ condition: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue
}

/// An encoder of observations that says how it is written to ONNX.
public protocol ONNXObservationEncoder: ObservationEncoder {
  /// The encoding `[B, Dc]` of normalized states `[B, To, Do]`.
  func callAsFunction(_ states: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue
}

/// A diffusion time in a graph.
public enum ONNXTime: Sendable {
  /// Known when the graph is written: that of one step of an unrolled chain.
  case constant(Float)
  /// Known when the graph runs: one number, of shape `[]`.
  case input(ONNXValue)
}

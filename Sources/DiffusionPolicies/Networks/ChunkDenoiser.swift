import Diffusion
import NeuralNetworks
import Tensors

/// A network that predicts the noise in action chunks from the observations before them.
///
/// Rows are independent of one another: a batch may be cut into shards.
public protocol ChunkDenoiser: Module {
  /// The prediction for every chunk.
  ///
  /// - Parameters:
  ///   - chunks: noisy action chunks `[B, Tp, Da]`.
  ///   - timeSteps: diffusion time, shared by the batch or one for each row.
  ///   - observations: the latest observations `[B, To, Do]`, the most recent last.
  /// - Returns: the noise in the chunks, `[B, Tp, Da]`.
  func callAsFunction(
    _ chunks: Tensor, timeSteps: Broadcast<Float>, observations: Tensor
  ) -> Tensor

  /// This network for a whole chain of denoising steps: what depends on the observations or on
  /// the time alone is computed once.
  ///
  /// Weights are read when it is bound: bind again after they change.
  ///
  /// - Parameters:
  ///   - observations: `[B, To, Do]`.
  ///   - times: the chain's diffusion times; it may be asked for others, which takes longer.
  func bound(to observations: Tensor, times: [Float]) -> Denoiser
}

extension ChunkDenoiser {
  /// The network as it is, with nothing computed ahead: a new network needs its function alone.
  public func bound(to observations: Tensor, times: [Float]) -> Denoiser {
    { chunks, timeSteps in self(chunks, timeSteps: timeSteps, observations: observations) }
  }
}

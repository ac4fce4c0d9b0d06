import Diffusion
import Environments
import NeuralNetworks
import Tensors

/// A network that predicts the noise in action chunks from an encoding of the observations before
/// them.
///
/// Rows are independent of one another: a batch may be cut into shards.
public protocol ChunkDenoiser: Module {
  /// The prediction for every chunk.
  ///
  /// - Parameters:
  ///   - chunks: noisy action chunks `[B, Tp, Da]`.
  ///   - timeSteps: diffusion time, shared by the batch or one for each row.
  ///   - condition: the observations, encoded `[B, Dc]`.
  /// - Returns: the noise in the chunks, `[B, Tp, Da]`.
  func callAsFunction(
    _ chunks: Tensor, timeSteps: Broadcast<Float>, condition: Tensor
  ) -> Tensor

  /// This network for a whole chain of denoising steps: what depends on the condition or on the
  /// time alone is computed once.
  ///
  /// Weights are read when it is bound: bind again after they change.
  ///
  /// - Parameters:
  ///   - condition: `[B, Dc]`.
  ///   - times: the chain's diffusion times; it may be asked for others, which takes longer.
  func bound(to condition: Tensor, times: [Float]) -> Denoiser
}

extension ChunkDenoiser {
  /// Nothing is computed beforehand, unless a network knows better.
  public func bound(to condition: Tensor, times: [Float]) -> Denoiser {
    { [self] chunks, timeSteps in
      callAsFunction(chunks, timeSteps: timeSteps, condition: condition)
    }
  }
}

/// A denoising network that sees observations.
public final class ObservingDenoiser: Module {
  /// Reads the observations.
  public let encoder: any ObservationEncoder
  /// Sees their encoding.
  public let denoiser: any ChunkDenoiser

  /// A network behind an encoder.
  public init(_ encoder: any ObservationEncoder, _ denoiser: any ChunkDenoiser) {
    self.encoder = encoder
    self.denoiser = denoiser
  }

  /// The noise in chunks `[B, Tp, Da]` after `B` observations.
  public func callAsFunction(
    _ chunks: Tensor, timeSteps: Broadcast<Float>, observations: Observations
  ) -> Tensor {
    denoiser(chunks, timeSteps: timeSteps, condition: encoder.encoding(of: observations))
  }

  /// The network for a whole chain of denoising steps; the observations are read once.
  public func bound(to observations: Observations, times: [Float]) -> Denoiser {
    denoiser.bound(to: encoder.encoding(of: observations), times: times)
  }

  /// The denoiser's, and `encoder.*`.
  public func collect(into parameters: inout NamedParameters) {
    denoiser.collect(into: &parameters)
    parameters.add("encoder", encoder)
  }
}

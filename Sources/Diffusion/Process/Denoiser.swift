import Tensors

/// A network with its condition bound: predicts what the sampler's `PredictionType` says.
///
/// - Parameters:
///   - sample: the scaled sample `[B, ...]`: action chunks `[B, Tp, Da]`, images `[B, H, W, C]`.
///   - timeSteps: diffusion time, shared by the batch or one for each row.
/// - Returns: the prediction, of the sample's shape.
public typealias Denoiser = (_ sample: Tensor, _ timeSteps: Rowwise<Float>) -> Tensor

/// The networks along a chain: one for the first steps and another for the last K'.
///
/// Each step runs one network only: the frozen one is not run where the fine-tuned one decides.
public struct StagedDenoiser {
  /// Runs the first, noisiest steps.
  public var frozen: Denoiser
  /// Runs the last steps.
  public var fineTuned: Denoiser
  /// K', from 0 to the number of steps.
  public var fineTunedCount: Int

  /// A pretrained network and its fine-tuned copy.
  public init(
    frozen: @escaping Denoiser, fineTuned: @escaping Denoiser, fineTunedCount: Int
  ) {
    self.frozen = frozen
    self.fineTuned = fineTuned
    self.fineTunedCount = fineTunedCount
  }

  /// The same network at all steps.
  public init(_ denoiser: @escaping Denoiser) {
    self.init(frozen: denoiser, fineTuned: denoiser, fineTunedCount: 0)
  }
}

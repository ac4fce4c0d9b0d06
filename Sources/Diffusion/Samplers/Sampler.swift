import Tensors

/// A way of walking from noise to a sample with the predictions of a network that it does not own.
///
/// The network is run once for each of `timeSteps`, on `modelInput` of the current sample; from its
/// prediction the sampler makes the transition to the next sample.
public protocol Sampler: Sendable {
  /// The diffusion time that the network is told at each index, noisiest first.
  var timeSteps: [Float] { get }

  /// The standard deviation of the first sample; `init_noise_sigma` in diffusers.
  var initialNoiseScale: Float { get }

  /// What the network sees of a sample; `scale_model_input` in diffusers.
  func modelInput(_ sample: Tensor, at indices: Rowwise<Int>) -> Tensor

  /// The transition from a sample of the index-th time step, given the network's prediction.
  ///
  /// - Parameters:
  ///   - sample: the current one.
  ///   - prediction: the network's, for the sample.
  ///   - index: which of the time steps.
  ///   - memory: what the sampler keeps between calls of one chain; empty at the start.
  func transition(
    from sample: Tensor, prediction: Tensor, at index: Int, memory: inout SamplerMemory
  ) -> Transition
}

/// A sampler whose transitions depend on the current sample alone, so that recorded transitions can
/// be evaluated in any order and mixture: what policy gradients need.
public protocol MarkovSampler: Sampler {
  /// The transitions from samples at the given indices of `timeSteps`.
  func transition(
    from sample: Tensor, prediction: Tensor, at indices: Rowwise<Int>
  ) -> Transition
}

/// What solvers of higher order remember of a chain.
public struct SamplerMemory: Sendable {
  /// The last estimate of x_0 (DPM-Solver++).
  var previousEstimate: Tensor?
  /// The derivative at the start of a trial step (Heun).
  var previousDerivative: Tensor?
  /// The sample before a trial step (Heun).
  var previousSample: Tensor?

  /// The memory at the start of a chain.
  public init() {}
}

extension Sampler {
  /// 1
  public var initialNoiseScale: Float { 1 }

  /// The sample as it is.
  public func modelInput(_ sample: Tensor, at indices: Rowwise<Int>) -> Tensor { sample }
}

extension MarkovSampler {
  /// The transition, which needs no memory.
  public func transition(
    from sample: Tensor, prediction: Tensor, at index: Int, memory: inout SamplerMemory
  ) -> Transition {
    transition(from: sample, prediction: prediction, at: .shared(index))
  }
}

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
  func modelInput(_ sample: Tensor, at indices: Broadcast<Int>) -> Tensor

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
    from sample: Tensor, prediction: Tensor, at indices: Broadcast<Int>
  ) -> Transition
}

/// What solvers of higher order remember of a chain.
public struct SamplerMemory: Sendable {
  /// The network's last outputs, or the estimates in them, the latest last (DPM-Solver++, UniPC,
  /// PNDM).
  var outputs: [Tensor] = []
  /// The sample before a trial step (Heun, PNDM), or before the last step (UniPC).
  var previousSample: Tensor?
  /// The derivative at the start of a trial step (Heun).
  var previousDerivative: Tensor?
  /// A weighted sum of the outputs of one step (PNDM).
  var sum: Tensor?

  /// The memory at the start of a chain.
  public init() {}

  /// Adds an output, and forgets those before the last `count`.
  mutating func remember(_ output: Tensor, atMost count: Int) {
    outputs = outputs.suffix(count - 1) + [output]
  }

  /// The output so many network runs ago, 0 for the latest.
  func output(_ age: Int) -> Tensor {
    precondition(age < outputs.count, "a sampler looks back \(age) runs at \(outputs.count)")
    return outputs[outputs.count - 1 - age]
  }
}

extension Sampler {
  /// 1
  public var initialNoiseScale: Float { 1 }

  /// The sample as it is.
  public func modelInput(_ sample: Tensor, at indices: Broadcast<Int>) -> Tensor { sample }
}

extension MarkovSampler {
  /// The transition, which needs no memory.
  public func transition(
    from sample: Tensor, prediction: Tensor, at index: Int, memory: inout SamplerMemory
  ) -> Transition {
    transition(from: sample, prediction: prediction, at: .shared(index))
  }
}

/// One step of a denoising chain: the distribution of the next sample.
public struct Transition: Sendable {
  /// The mean `[B, ...]`.
  public let mean: Tensor
  /// Broadcast to the mean; nil where the transition is deterministic.
  public let standardDeviation: Tensor?

  /// A Gaussian transition, or a deterministic one.
  public init(mean: Tensor, standardDeviation: Tensor? = nil) {
    self.mean = mean
    self.standardDeviation = standardDeviation
  }

  /// The next sample for the given standard normal noise: mean + standard deviation x noise.
  public func sample(noise: Tensor) -> Tensor {
    guard let standardDeviation else { return mean }
    return mean + standardDeviation * noise
  }

  /// The log-density of `next` at every element `[B, ...]`, differentiable.
  public func logProbability(of next: Tensor) -> Tensor {
    guard let standardDeviation else {
      preconditionFailure(
        "a deterministic transition has no density: give the process a standard deviation floor")
    }
    return next.gaussianLogDensity(mean: mean, standardDeviation: standardDeviation)
  }

  /// The Kullback-Leibler divergence of this transition from another at every element `[B, ...]`,
  /// differentiable:
  /// KL(N(m, s^2) || N(n, t^2)) = ((s / t)^2 - 1 - 2 ln(s / t) + ((m - n) / t)^2) / 2.
  public func divergence(from other: Transition) -> Tensor {
    guard let standardDeviation, let otherStd = other.standardDeviation else {
      preconditionFailure("a deterministic transition has no divergence from another")
    }
    let ratio = standardDeviation / otherStd
    let spread = ratio.squared() - 1 - 2 * ratio.log()  // 0 where the standard deviations are equal
    return 0.5 * (spread + ((mean - other.mean) / otherStd).squared())
  }

  /// The same transition with a standard deviation of at least `floor`; a deterministic one gets
  /// `floor`.
  public func flooringStd(at floor: Float) -> Transition {
    guard floor > 0 else { return self }
    let std = standardDeviation.map { Tensor.maximum($0, Tensor(floor)) } ?? Tensor(floor)
    return Transition(mean: mean, standardDeviation: std)
  }
}

extension Tensor {
  /// Clamped to +- `limit` if there is one.
  func limited(to limit: Float?) -> Tensor {
    guard let limit else { return self }
    return clamped(to: -limit, limit)
  }

  /// y / sqrt(sigma^2 + 1): y scaled to the variance that the network was trained on.
  func scaledForNetwork(_ sigmas: [Float], at indices: Broadcast<Int>) -> Tensor {
    self / (indices.entries(of: sigmas, rank: rank).squared() + 1).squareRoot()
  }
}

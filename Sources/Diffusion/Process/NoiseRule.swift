import Tensors

/// How much noise a chain's transitions get, given the sampler's own deviation.
public enum NoiseRule: Sendable, Hashable {
  /// As the sampler says.
  case own
  /// None: every transition goes to its mean.
  case none
  /// At least this deviation at every transition, the last included: DPPO's exploration in training
  /// (`min_sampling_denoising_std`, sigma_exp).
  case atLeast(Float)
  /// At least this deviation, but none at the last transition: DPPO's evaluation with DDPM, 1e-3.
  case atLeastUntilLast(Float)

  /// The transition with the rule applied.
  func applied(to transition: Transition, isLast: Bool) -> Transition {
    switch self {
    case .own: transition
    case .none: Transition(mean: transition.mean)
    case .atLeast(let floor): transition.flooringDeviation(at: floor)
    case .atLeastUntilLast(let floor):
      isLast ? Transition(mean: transition.mean) : transition.flooringDeviation(at: floor)
    }
  }
}

import Tensors

/// The straight path of flow matching: x_sigma = (1 - sigma) x_0 + sigma e (Lipman et al.,
/// arXiv:2210.02747; Liu et al., arXiv:2209.03003), with the network predicting the flow e - x_0.
public struct FlowSchedule: Sendable, Equatable {
  /// The time step that the network sees is sigma times this.
  public let timeStepCount: Int
  /// Moves steps to the noisy side where it is above 1: sigma = shift s / (1 + (shift - 1) s)
  /// (Esser et al., arXiv:2403.03206, equation 23).
  public let shift: Float

  /// The schedule of a flow-matching model.
  public init(timeStepCount: Int = 1000, shift: Float = 1) {
    precondition(timeStepCount > 0 && shift > 0, "a flow schedule needs time steps and a shift")
    self.timeStepCount = timeStepCount
    self.shift = shift
  }

  /// sigma at an unshifted position, 0 for the clean sample and 1 for pure noise.
  public func noiseLevel(at position: Float) -> Float { Float(shifted(Double(position))) }

  private func shifted(_ position: Double) -> Double {
    Double(shift) * position / (1 + (Double(shift) - 1) * position)
  }

  /// Noise levels for `count` Euler steps, noisiest first, and 0 at the end.
  ///
  /// diffusers shifts the ends of the range and then every step once more; its values are kept.
  func noiseLevels(count: Int) -> [Float] {
    let greatest = Double(noiseLevel(at: 1))
    let least = Double(noiseLevel(at: 1 / Float(timeStepCount)))
    let spacing = count > 1 ? (least - greatest) / Double(count - 1) : 0
    return (0..<count).map { Float(shifted(greatest + spacing * Double($0))) } + [0]
  }

  /// (1 - sigma) x_0 + sigma e
  ///
  /// - Parameters:
  ///   - noiseLevels: those to come near to.
  ///   - sample: x_0 `[B, ...]`
  ///   - noise: e `[B, ...]`
  public func noisySample(
    _ sample: Tensor, noise: Tensor, noiseLevels: Rowwise<Float>
  ) -> Tensor {
    let sigma = noiseLevels.tensor(rank: sample.rank)
    return (1 - sigma) * sample + sigma * noise
  }

  /// The flow e - x_0 that a network should predict.
  public func target(sample: Tensor, noise: Tensor) -> Tensor { noise - sample }
}

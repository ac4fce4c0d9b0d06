import Foundation
import NeuralNetworks
import Tensors

/// DDIM's eta as a parameter: one number, or one for each action dimension, between two bounds.
///
/// The name of the weight and the mapping are those of DPPO's `EtaFixed` and `EtaAction`.
public final class LearnedEta: Module {
  /// `eta_logit` `[1]` or `[Da]`
  public let logit: Parameter
  private let range: ClosedRange<Float>

  /// - Parameters:
  ///   - range: the bounds of eta.
  ///   - size: 1, or the action size.
  ///   - initial: strictly inside `range`.
  public init(size: Int = 1, initial: Float = 0.5, range: ClosedRange<Float> = 0.1...1) {
    precondition(
      initial > range.lowerBound && initial < range.upperBound,
      "eta starts at \(initial), which is not inside \(range)")
    let normalized = 2 * (initial - range.lowerBound) / (range.upperBound - range.lowerBound) - 1
    logit = Parameter(Tensor(repeating: atanhf(normalized), shape: [size]))
    self.range = range
  }

  /// eta `[1]` or `[Da]`, differentiable.
  public var value: Tensor {
    let width = range.upperBound - range.lowerBound
    return (logit.tensor.tanh() + 1) * (0.5 * width) + range.lowerBound
  }

  /// `eta_logit`
  public func collect(into parameters: inout NamedParameters) {
    parameters.add("eta_logit", logit)
  }
}

import Configuration
import Foundation
import NeuralNetworks
import Tensors

/// The standard deviation of a density network's normal distributions, fixed, learned or predicted,
/// with the parameters that the DPPO reference keeps for it.
struct ConfiguredStd: Sendable {
  private let fixed: Float?
  private let learned: Parameter?
  private let minimumLogVariance: Parameter
  private let maximumLogVariance: Parameter

  /// - Parameters:
  ///   - configuration: where it comes from, and its bounds.
  ///   - size: how many there are if they are learned.
  init(_ configuration: NetworkConfiguration, size: Int) {
    func logVariance(_ std: Float) -> Tensor { Tensor(logf(std * std)) }
    minimumLogVariance = Parameter(logVariance(configuration.minStd))
    maximumLogVariance = Parameter(logVariance(configuration.maxStd))
    minimumLogVariance.isTrainable = false
    maximumLogVariance.isTrainable = false
    fixed = configuration.stdKind == .fixed ? configuration.std : nil
    learned =
      configuration.stdKind == .learned
      ? Parameter(logVariance(configuration.std).broadcast(to: [size])) : nil
  }

  /// Checks its bounds.
  ///
  /// - Throws: `ConfigurationError` naming the setting.
  static func check(_ configuration: NetworkConfiguration) throws {
    try ConfigurationError.require(
      configuration.minStd < configuration.maxStd, "minStd", configuration.minStd,
      "a positive number below maxStd \(configuration.maxStd)")
  }

  /// `[]` if it is fixed, `[size]` if it is learned, else of the shape of what is predicted.
  ///
  /// - Parameter predicted: log-variances within bounds, where the network predicts them.
  func callAsFunction(
    predicted: ((_ lower: Float, _ upper: Float) -> Tensor)?
  ) -> Tensor {
    if let fixed { return Tensor(fixed) }
    let lower = minimumLogVariance.value.scalar
    let upper = maximumLogVariance.value.scalar
    guard
      let logVariance = learned?.tensor.clamped(to: lower, upper) ?? predicted?(lower, upper)
    else {
      preconditionFailure("a standard deviation is fixed, learned or predicted")
    }
    return (logVariance * 0.5).exp()
  }

  /// `logvar`, `logvar_min`, `logvar_max`
  func collect(into parameters: inout NamedParameters) {
    parameters.add("logvar", learned)
    parameters.add("logvar_min", minimumLogVariance)
    parameters.add("logvar_max", maximumLogVariance)
  }
}

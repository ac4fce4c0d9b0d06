import Diffusion
import NeuralNetworks
import Tensors

/// The moments of a prior as parameters: `mean`, `std`.
final class LearnedPrior: Module {
  let mean: Parameter
  let deviation: Parameter

  init(shape: [Int], learnsDeviation: Bool) {
    mean = Parameter(.zeros(shape))
    deviation = Parameter(.ones(shape))
    deviation.isTrainable = learnsDeviation
  }

  /// The distribution, tracked if gradients are being recorded.
  var tracked: NoisePrior {
    NoisePrior(mean: mean.tensor, standardDeviation: deviation.tensor)
  }

  /// The distribution as it is now.
  var prior: NoisePrior {
    get { NoisePrior(mean: mean.value, standardDeviation: deviation.value) }
    set {
      mean.value = newValue.mean
      deviation.value = newValue.standardDeviation
    }
  }

  /// Keeps sigma a standard deviation.
  func holdDeviation() {
    if deviation.isTrainable {
      deviation.value = deviation.value.clamped(
        to: FINDConfiguration.leastDeviation, .greatestFiniteMagnitude)
    }
  }

  /// Scales sigma so that the mean square length of the noise is that of N(0, I).
  func keepLength() {
    let variance = deviation.value.squaredNorm()
    let left = Double(mean.value.count) - mean.value.squaredNorm()
    deviation.value =
      (deviation.value * Float((max(0, left) / variance).squareRoot())).clamped(
        to: FINDConfiguration.leastDeviation, .greatestFiniteMagnitude)
  }

  func collect(into parameters: inout NamedParameters) {
    parameters.add("mean", mean)
    parameters.add("std", deviation)
  }
}

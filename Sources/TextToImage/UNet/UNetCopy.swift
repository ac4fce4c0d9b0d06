import NeuralNetworks
import Tensors

extension UNet2DConditionModel {
  /// A frozen network with the present weights, which share memory until one of the two changes.
  public func frozenCopy() -> UNet2DConditionModel {
    var unset = UnsetWeights()
    let copy = UNet2DConditionModel(configuration, random: &unset)
    for (mine, other) in zip(parameters, copy.parameters) {
      other.parameter.value = mine.parameter.value
      other.parameter.isTrainable = false
    }
    return copy
  }
}

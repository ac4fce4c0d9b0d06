import NeuralNetworks
import Tensors

/// Points of an image that features look at: of each, the mean place under a softmax over all
/// places (Finn et al., arXiv:1509.06113).
final class SpatialSoftmax: Module {
  private let convolution: Conv2d
  /// x and y of all places from -1 to 1, `[2, h w]`.
  private let places: Tensor

  /// - Parameters:
  ///   - featureShape: `[h, w, C]`
  ///   - keypointCount: `K`
  ///   - random: draws the first weights.
  init(featureShape: [Int], keypointCount: Int, random: inout some RandomSource) {
    convolution = Conv2d(
      inputChannels: featureShape[2], outputChannels: keypointCount, kernelSize: 1,
      random: &random)
    let (height, width) = (featureShape[0], featureShape[1])
    func coordinate(_ index: Int, of count: Int) -> Float {
      count == 1 ? -1 : Float(-1 + 2 * Double(index) / Double(count - 1))
    }
    places = Tensor(
      shape: [2, height * width],
      elements: (0..<height * width).map { coordinate($0 % width, of: width) }
        + (0..<height * width).map { coordinate($0 / width, of: height) })
  }

  /// `[B, h, w, C]` to x and y of each point, `[B, 2 K]`.
  func callAsFunction(_ features: Tensor) -> Tensor {
    let maps = convolution(features)
    let (batch, count) = (maps.shape[0], maps.shape[3])
    return maps.transposed([0, 3, 1, 2]).reshaped(to: [batch, count, -1]).softmax()
      .linear(weight: places).reshaped(to: [batch, 2 * count])
  }

  /// `nets.*`
  func collect(into parameters: inout NamedParameters) { parameters.add("nets", convolution) }
}

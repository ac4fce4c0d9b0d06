import CaptionedMedia
import Tensors

@testable import TextToImage

/// Images of 8 x 8 pixels in one of two colors, with a gradient from left to right.
struct Squares: CaptionedMediaSource {
  static let names = ["a red square", "a blue square"]
  let count: Int? = 6
  let width = 8
  let height = 8
  /// Said of every image instead of its color.
  var caption: String?

  func batch(at indices: [Int]) -> CaptionedMedia {
    let images = indices.map { index in
      let color: [Float] = index.isMultiple(of: 2) ? [0.8, -0.8, -0.8] : [-0.8, -0.8, 0.8]
      let pixels = (0..<64).flatMap { pixel in
        color.map { $0 + Float(pixel % 8) * 0.02 * Float(index / 2) }
      }
      return Tensor(shape: [8, 8, 3], elements: pixels)
    }
    return CaptionedMedia(
      images: .stacked(images), captions: indices.map { caption ?? Self.names[$0 % 2] })
  }

  /// A network that learns them in a moment.
  static func makeModel(seed: UInt64 = 3) throws -> TextToImageModel {
    var configuration = NewModelConfiguration()
    configuration.text.vocabularySize = 600
    configuration.text.tokenCount = 6
    configuration.text.width = 16
    configuration.text.layerCount = 1
    configuration.text.headCount = 2
    configuration.unet.channels = [16, 16]
    configuration.unet.headCount = 2
    configuration.unet.normGroupCount = 4
    return try configuration.makeModel(
      vocabulary: BytePairVocabulary(trainedOn: names + names, size: 600), width: 8, height: 8,
      seed: seed)
  }

  /// Settings for a short training.
  static var settings: PromptedTrainingConfiguration {
    var settings = PromptedTrainingConfiguration()
    settings.batchSize = 20
    settings.batchCount = 400
    settings.learningRate = 2e-3
    settings.warmUpCount = 3
    settings.emaDecay = 0.98
    settings.minimumSNRGamma = 5
    return settings
  }
}

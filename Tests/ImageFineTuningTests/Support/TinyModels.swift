import TestSupport
import Diffusion
import Files
import Foundation
import Media
import NeuralNetworks
import Rewards
import Tensors

@testable import ImageFineTuning
@testable import TextToImage

/// Models and settings of the smallest size.
enum TinyModels {
  static let prompts = ["a red square", "a blue square"]

  /// The Stable Diffusion folder of the goldens of `TextToImage`; images of more pixels than
  /// `tileSide` are decoded in tiles if that is wanted.
  static func stableDiffusion(tileSide: Int = 16) throws -> TextToImageModel {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let model = folder.file("model")
    try FileManager.default.copyItem(
      atPath: Goldens.path("TextToImage/pipeline"), toPath: model)
    try FileManager.default.copyItem(
      atPath: Goldens.path("TextToImage/tokenizer"), toPath: "\(model)/tokenizer")
    let vae = try folder.text("model/vae/config.json")
    try folder.write(
      vae.replacing("\"sample_size\": 16", with: "\"sample_size\": \(tileSide)"),
      to: "model/vae/config.json")
    return try TextToImageModel(folder: model)
  }

  /// A model of images of 8 x 8 pixels that has learned nothing.
  static func pixels(seed: UInt64 = 3) throws -> TextToImageModel {
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
      vocabulary: BytePairVocabulary(trainedOn: prompts + prompts, size: 600), width: 8,
      height: 8, seed: seed)
  }

  /// Few steps and images.
  static var settings: ImageFineTuningConfiguration {
    var settings = ImageFineTuningConfiguration()
    settings.iterations = 4
    settings.imagesPerPrompt = 6
    settings.samplingBatchSize = 5
    settings.stepCount = 5
    settings.guidance = 2
    settings.rewardMinimumCount = 4
    return settings
  }

  static func training(
    reward: any Reward = Brightness(), seed: UInt64 = 1, model: TextToImageModel? = nil,
    communicator: any Communicator = SingleProcess(),
    _ change: (inout ImageFineTuningConfiguration) -> Void = { _ in }
  ) throws -> ImageFineTuning {
    var settings = settings
    change(&settings)
    return try ImageFineTuning(
      model: model ?? pixels(), configuration: settings, prompts: prompts, reward: reward,
      seed: seed, communicator: communicator)
  }
}

/// The mean of all samples, 0 to 1; not a number for the first few images, if wanted.
struct Brightness: ImageReward {
  var missingCount = 0
  var name: String { "brightness" }

  func scores(images: [Image], prompts: [String]) -> [Float] {
    images.enumerated().map { index, image in
      guard index >= missingCount else { return .nan }
      let sum = image.samples.reduce(0) { $0 + Int($1) }
      return Float(sum) / Float(255 * image.samples.count)
    }
  }
}

import Files
import Foundation
import GenerativeModels
import Tensors
import TestSupport

@testable import TextToImage

/// The model folder of `make_pipeline.py`, with the tokenizer of `make_tokens.py`.
struct TinyModel {
  static let prompts = ["a knight with a golden shield", "An astronaut's CAT, 東京 😀"]
  static let negativePrompts = ["blue", ""]
  static let seeds: [UInt64] = [3, 2_024]

  private let temporary: TemporaryFolder
  let folder: String

  init() throws {
    temporary = try TemporaryFolder()
    folder = temporary.file("model")
    try FileManager.default.copyItem(atPath: Goldens.path("pipeline"), toPath: folder)
    try FileManager.default.copyItem(
      atPath: Goldens.path("tokenizer"), toPath: "\(folder)/tokenizer")
  }

  func file(_ name: String) -> String { "\(folder)/\(name)" }

  /// Reads the folder, which may go afterwards.
  func load() throws -> TextToImageModel {
    defer { withExtendedLifetime(temporary) {} }
    return try TextToImageModel(folder: folder)
  }

  /// A sibling of the folder.
  func sibling(_ name: String) -> String { temporary.file(name) }

  static var settings: GenerationSettings {
    var settings = GenerationSettings()
    settings.stepCount = 4
    settings.guidance.scale = 5
    return settings
  }

  /// The same parts on pixels: 12 channels are squares of 2 x 2.
  static func inPixelSpace(_ parts: TextToImageModel) throws -> TextToImageModel {
    var configuration = parts.unet.configuration
    configuration.inputChannels = 12
    configuration.outputChannels = 12
    var random = RandomStream(seed: 1)
    let unet = UNet2DConditionModel(configuration, random: &random)
    GoldenNetworks.drawWeights(unet)
    return try TextToImageModel(
      tokenizer: parts.tokenizer, textEncoder: parts.textEncoder, unet: unet, autoencoder: nil,
      scheduler: velocityScheduler())
  }

  /// The second scheduler of `make_pipeline.py`.
  static func velocityScheduler() throws -> SchedulerConfiguration {
    try SchedulerConfiguration(
      betas: .squaredCosine, predictionType: .velocity, spacing: .linspace,
      clampsEstimates: true, hasZeroTerminalSNR: true)
  }
}

import GenerativeModels
import TestSupport
import TextToVideo

/// The model folder of `make_pipeline.py`.
struct TinyVideoModel {
  static let prompts = ["a knight with a golden shield", "An astronaut's CAT, 東京 😀"]
  static let negativePrompts = ["blue", ""]
  static let seeds: [UInt64] = [3, 2_024]

  private let temporary: TemporaryFolder
  let folder: String

  init() throws {
    temporary = try TemporaryFolder()
    try temporary.writeVideoModel("model")
    folder = temporary.file("model")
  }

  /// Reads the folder, which may go afterwards.
  func load() throws -> TextToVideoModel {
    defer { withExtendedLifetime(temporary) {} }
    return try TextToVideoModel(folder: folder)
  }

  func file(_ name: String) -> String { "\(folder)/\(name)" }

  /// A sibling of the folder.
  func sibling(_ name: String) -> String { temporary.file(name) }

  static var settings: GenerationSettings {
    var settings = GenerationSettings()
    settings.stepCount = 4
    settings.guidance.scale = 9
    settings.frames = 3
    return settings
  }
}

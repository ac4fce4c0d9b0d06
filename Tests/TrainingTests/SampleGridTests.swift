import CaptionedMedia
import Foundation
import GenerativeModels
import Runs
import Synchronization
import Tensors
import TestSupport
import Testing
import TextToImage

@testable import Training

/// What the settings of a training's sample grids do.
@Suite struct SampleGridTests {
  private let folder: TemporaryFolder

  /// A Stable Diffusion model whose images of 16 x 16 pixels are larger than a tile.
  init() throws {
    folder = try TemporaryFolder()
    let model = folder.file("model")
    try FileManager.default.copyItem(
      atPath: Repository.golden("TextToImage/pipeline"), toPath: model)
    try FileManager.default.copyItem(
      atPath: Repository.golden("TextToImage/tokenizer"), toPath: "\(model)/tokenizer")
    let vae = try folder.text("model/vae/config.json")
    try folder.write(
      vae.replacing("\"sample_size\": 16", with: "\"sample_size\": 8"),
      to: "model/vae/config.json")
  }

  /// Images of 16 x 16 pixels.
  private struct Blank: CaptionedMediaSource {
    let count: Int? = 1
    let width = 16
    let height = 16
    func batch(at indices: [Int]) -> CaptionedMedia {
      CaptionedMedia(images: .zeros([1, 16, 16, 3]), captions: ["nothing"])
    }
  }

  private func settings(_ change: (inout SampleGridSettings) -> Void = { _ in })
    -> SampleGridSettings
  {
    var settings = SampleGridSettings()
    settings.stepCount = 3
    settings.count = 1
    settings.sampler = .ddim
    change(&settings)
    return settings
  }

  /// Each setting of drawing makes another image.
  @Test func drawingSettingsReachTheImages() throws {
    let pipeline = try TextToImagePipeline(folder: folder.file("model"))
    func samples(_ change: (inout SampleGridSettings) -> Void) throws -> [UInt8] {
      let drawn = settings(change)
      try drawn.check(pipeline, source: Blank(), log: RunLog(isQuiet: true))
      return try drawn.draw(pipeline, prompts: ["a knight"], source: Blank())
        .flatMap(\.frames).flatMap(\.samples)
    }
    let plain = try samples { _ in }
    #expect(try samples { _ in } == plain)
    #expect(try samples { $0.clipSkip = 1 } != plain)
    #expect(try samples { $0.eta = 1 } != plain)
    #expect(try samples { $0.guidanceRescale = 0.7 } != plain)
    #expect(try samples { $0.vaeTiling = true } != plain)
  }

  /// What the model or the sampler cannot do is refused by the setting's name, and what has no
  /// effect is told.
  @Test func settingsThatDoNothingAreTold() throws {
    let pipeline = try TextToImagePipeline(folder: folder.file("model"))
    let lines = Mutex<[String]>([])
    let log = RunLog { line in lines.withLock { $0.append(line) } }
    func check(_ change: (inout SampleGridSettings) -> Void) throws {
      try settings(change).check(pipeline, source: Blank(), log: log)
    }
    for (change, key) in [
      ({ $0.clipSkip = 99 }, "'samples.clipSkip': found 99, expected 0 to "),
      (
        {
          $0.eta = 0.5
          $0.sampler = .euler
        }, "'samples.eta': found 0.5, expected 0 with the sampler euler"
      ),
    ] as [((inout SampleGridSettings) -> Void, String)] {
      let error = #expect(throws: (any Error).self) { try check(change) }
      #expect(error.map { "\($0)" }?.contains(key) == true, "\(String(describing: error))")
    }
    try check {
      $0.guidance = 1
      $0.guidanceRescale = 0.5
    }
    #expect(lines.withLock { $0.contains { $0.contains("its rescaling has no effect") } })
  }
}

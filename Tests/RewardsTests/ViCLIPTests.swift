import Files
import Foundation
import Media
import Tensors
import TestSupport
import Testing

@testable import Rewards

/// ViCLIP, against OpenGVLab's modules (`make_viclip.py`).
@Suite struct ViCLIPTests {
  private struct Golden: Decodable {
    let shapes: [String: [Int]]
    let prompts: [String]
    let clips: [[UInt8]]
    let videos: [[Float]]
    let texts: [[Float]]
    let long: [[UInt8]]
    let longSize: [Int]
    let view: [Float]
  }

  private let golden: Golden
  private let folder: TemporaryFolder

  init() throws {
    golden = try JSONDecoder().decode(
      Golden.self,
      from: Data(contentsOf: URL(filePath: Repository.golden("Rewards/viclip.json"))))
    folder = try TemporaryFolder()
    for name in ["vocab.json", "merges.txt"] {
      try FileManager.default.copyItem(
        atPath: Repository.golden("TextToImage/tokenizer/\(name)"), toPath: folder.file(name))
    }
    try write(weights())
  }

  /// As `make_viclip.py` draws them.
  private func weights() -> [String: Tensor] {
    var random = TorchRandom(seed: 7)
    var weights: [String: Tensor] = [:]
    for (name, shape) in golden.shapes.sorted(by: { $0.key < $1.key }) {
      let values = random.normal(shape)
      if shape.count > 1 {
        let fanIn = shape.dropFirst().reduce(1, *)
        weights[name] = values * Float(1 / Double(fanIn).squareRoot())
      } else {
        let isScale = name.contains(".ln_") && name.hasSuffix("weight")
        weights[name] = values * 0.1 + (isScale ? 1 : 0)
      }
    }
    weights["temp"] = Tensor(0.01)
    return weights
  }

  private func write(_ weights: [String: Tensor]) throws {
    try SafetensorsFile.write(
      weights.mapValues { StoredTensor($0) }, to: folder.file("ViClip.safetensors"))
  }

  private func clip(_ frames: [[UInt8]], width: Int, height: Int) -> Media {
    .clip(
      Clip(
        frames: frames.map {
          Image(width: width, height: height, channelCount: 3, samples: $0)
        }, frameRate: 8))
  }

  private var clips: [Media] {
    golden.clips.map { samples in
      let size = samples.count / 3
      return clip(
        (0..<3).map { Array(samples[$0 * size..<($0 + 1) * size]) }, width: 12, height: 12)
    }
  }

  @Test func featuresAreThoseOfTheReference() throws {
    let model = try ViCLIPModel(folder: folder.path)
    #expect(model.frameCount == 3 && model.imageSize == 12)
    let videos = Tensor(shape: [2, 20], elements: golden.videos.flatMap { $0 })
    expectClose(model.features(of: clips), videos, relative: 1e-4, absolute: 1e-5)
    let texts = Tensor(shape: [3, 20], elements: golden.texts.flatMap { $0 })
    expectClose(model.features(of: golden.prompts), texts, relative: 1e-4, absolute: 1e-5)

    let reward = ViCLIPReward(model, path: "viclip")
    let scores = reward.scores(clips, prompts: [golden.prompts[1], golden.prompts[0]])
    for (row, column) in [(0, 1), (1, 0)] {
      let cosine = zip(golden.videos[row], golden.texts[column]).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(scores[row] - cosine) < 1e-4)
    }
    // Frames are seen in their order.
    let backwards = Media.clip(Clip(frames: clips[0].frames.reversed(), frameRate: 8))
    #expect(try reward.scores([backwards], prompts: [golden.prompts[1]])[0] != scores[0])
  }

  /// Every second of seven frames, scaled as OpenCV does, a level more or less.
  @Test func framesAreChosenAndScaled() throws {
    let model = try ViCLIPModel(folder: folder.path)
    let (width, height) = (golden.longSize[0], golden.longSize[1])
    let view = model.view(clip(golden.long, width: width, height: height))
    #expect(view.shape == [3, 12, 12, 3])
    let level: Float = 1.01 / 255 / 0.224
    let difference = zip(view.elements, golden.view).map { abs($0 - $1) }
    #expect(difference.max() ?? 1 <= level)
    #expect(difference.reduce(0, +) / Float(difference.count) < 0.2 * level)
    // Fewer frames than are needed are spread; an image stands still.
    let two = clip(Array(golden.long.prefix(2)), width: width, height: height)
    let short = model.view(two)
    #expect(short[1].elements == short[2].elements && short[0].elements != short[1].elements)
    let still = model.view(.image(two.frames[0]))
    #expect(still[0].elements == still[2].elements)
  }

  @Test func otherFilesAreNamed() throws {
    func message() -> String {
      do {
        _ = try ViCLIPModel(folder: folder.path)
        return "none"
      } catch {
        return "\(error)"
      }
    }
    #expect(message() == "none")
    var fewer = weights()
    fewer["vision_encoder.ln_post.bias"] = nil
    try write(fewer)
    #expect(message().contains("vision_encoder.ln_post.bias"))
    fewer = weights()
    fewer["text_encoder.ln_final.bias"] = .zeros([64])
    try write(fewer)
    #expect(message().contains("has shape [64], where [128] is expected"))
    try write(weights())
    try FileManager.default.copyItem(
      atPath: folder.file("ViClip.safetensors"), toPath: folder.file("other.safetensors"))
    #expect(message().contains("several weights"))
    for name in ["other.safetensors", "ViClip.safetensors"] {
      try FileManager.default.removeItem(atPath: folder.file(name))
    }
    #expect(message().contains("has no weights"))
    try FileManager.default.removeItem(atPath: folder.file("vocab.json"))
    #expect(message().contains("vocab.json"))
  }
}

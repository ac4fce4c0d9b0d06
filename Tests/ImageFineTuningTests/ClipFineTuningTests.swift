import Media
import NeuralNetworks
import Rewards
import Tensors
import Testing
import TextToVideo

@testable import ImageFineTuning
@testable import TextToImage

/// Policy gradients of a model of clips: the same code, a density of all frames.
@Suite(.serialized) struct ClipFineTuningTests {
  /// How much brighter the last frame is than the first: no frame has it alone.
  private struct Dawn: Reward {
    let name = "dawn"

    func scores(_ media: [Media], prompts: [String]) -> [Float] {
      media.map { clip in
        func light(_ image: Image) -> Float {
          Float(image.samples.reduce(0) { $0 + Int($1) }) / Float(255 * image.samples.count)
        }
        guard let first = clip.frames.first, let last = clip.frames.last else { return .nan }
        return light(last) - light(first)
      }
    }
  }

  private func training(
    loraRank: Int
  ) throws -> PromptedFineTuning<TextToVideoPipeline> {
    var configuration = NewClipModelConfiguration()
    configuration.text.vocabularySize = 600
    configuration.text.tokenCount = 6
    configuration.text.width = 16
    configuration.text.layerCount = 1
    configuration.text.headCount = 2
    configuration.unet.channels = [8, 8]
    configuration.unet.readsPrompt = [false, true]
    configuration.unet.headSize = 4
    configuration.unet.normGroupCount = 4
    let prompts = TinyModels.prompts
    let model = try configuration.makeModel(
      vocabulary: BytePairVocabulary(trainedOn: prompts + prompts, size: 600), width: 8,
      height: 8, seed: 3)
    var settings = TinyModels.settings
    settings.frames = 3
    settings.stepCount = 3
    settings.loraRank = loraRank
    settings.klCoefficient = 0.1
    return try PromptedFineTuning(
      model: model, configuration: settings, prompts: prompts, reward: Dawn(), seed: 1)
  }

  @Test(arguments: [0, 2]) func goesOnExactly(loraRank: Int) throws {
    func bits(
      _ training: PromptedFineTuning<TextToVideoPipeline>
    ) throws -> [String: [UInt32]] {
      try training.trainingState().tensors.mapValues { $0.elements.map(\.bitPattern) }
    }
    let whole = try training(loraRank: loraRank)
    let names = Set(whole.trainingStateNames)
    // Attention over frames is adapted as that to the prompt is.
    #expect(names.contains { $0.contains("temp_attentions") })
    for _ in 0..<2 { _ = try whole.iterate() }
    let first = try training(loraRank: loraRank)
    _ = try first.iterate()
    let second = try training(loraRank: loraRank)
    try second.restore(first.trainingState())
    let metrics = try second.iterate()
    #expect(try bits(second) == bits(whole))
    #expect(try bits(first) != bits(whole))
    #expect(metrics["reward"].map { abs($0) < 1 } == true)
  }

  /// Before an update the ratios of new to old densities of whole clips are 1.
  @Test func ratiosBeginAtOne() throws {
    let training = try training(loraRank: 2)
    let metrics = try training.iterate()
    #expect(abs((metrics["ratio"] ?? 0) - 1) < 0.05)
    #expect((metrics["klDivergence"] ?? 1) < 1e-3)
    #expect(training.imageCount == 12)
  }
}

extension PromptedFineTuning {
  /// What is saved of it.
  fileprivate var trainingStateNames: [String] {
    (try? trainingState().tensors.keys.sorted()) ?? []
  }
}

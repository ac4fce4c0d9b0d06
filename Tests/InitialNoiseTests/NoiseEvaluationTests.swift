import Diffusion
import GenerativeModels
import Media
import Rewards
import Tensors
import Testing

@testable import InitialNoise
@testable import TextToImage

/// A prior beside plain noise, on a model of 8 x 8 pixels that has learned nothing.
struct NoiseEvaluationTests {
  /// The mean of all samples, 0 to 1.
  private struct Brightness: ImageReward {
    let name = "brightness"

    func scores(images: [Image], prompts: [String]) -> [Float] {
      images.map { image in
        Float(image.samples.reduce(0) { $0 + Int($1) }) / Float(255 * image.samples.count)
      }
    }
  }

  private let prompt = "a red square"

  private func evaluation() throws -> NoiseEvaluation {
    var configuration = NewModelConfiguration()
    configuration.text.vocabularySize = 600
    configuration.text.tokenCount = 6
    configuration.text.width = 16
    configuration.text.layerCount = 1
    configuration.text.headCount = 2
    configuration.unet.channels = [16, 16]
    configuration.unet.headCount = 2
    configuration.unet.normGroupCount = 4
    let model = try configuration.makeModel(
      vocabulary: BytePairVocabulary(trainedOn: [prompt, prompt], size: 600), width: 8, height: 8,
      seed: 3)
    var settings = GenerationSettings()
    settings.sampler = .ddim
    settings.stepCount = 2
    settings.guidance = Guidance(scale: 1)
    return NoiseEvaluation(
      model: TextToImagePipeline(model), settings: settings, reward: Brightness())
  }

  /// N(0, I) as a prior gives the plain images; one that is moved and narrow gives others, of
  /// which the scores are those of its own images.
  @Test func priorsAreComparedByTheirOwnImages() throws {
    let evaluation = try evaluation()
    let plain = try evaluation.plain(
      prompt: prompt, negativePrompt: "", imageCount: 4, count: 4, seed: 7)
    #expect(plain.bestOf == 2)
    let shape = try evaluation.model.sampleShape(evaluation.settings)
    let same = try evaluation.compare(NoisePrior(standardOfShape: shape), with: plain)
    let score = try #require(same.scores["reward"])
    #expect(score.plain == score.prior && score.plain != nil)
    let moved = NoisePrior(
      mean: Tensor(repeating: 2, shape: shape),
      standardDeviation: Tensor(repeating: 0.1, shape: shape))
    let other = try #require(try evaluation.compare(moved, with: plain).scores["reward"])
    let (before, after) = (try #require(other.plain), try #require(other.prior))
    #expect(abs(after.mean - before.mean) > 1e-3, "\(before) \(after)")
    #expect(after.standardError < before.standardError)
    // Two plain images for each: the best of them.
    #expect(try #require(other.bestOfN).mean > before.mean - before.standardError)
  }

  /// Best of one image: as good as plain noise, and not the plain images again, but those of the
  /// seeds that follow.
  @Test func bestOfNHasItsOwnSeeds() throws {
    let evaluation = try evaluation()
    let plain = try evaluation.plain(
      prompt: prompt, negativePrompt: "", imageCount: 0, count: 4, seed: 7)
    #expect(plain.bestOf == 1 && plain.scores["reward"] != plain.bestScores["reward"])
    let following = try evaluation.plain(
      prompt: prompt, negativePrompt: "", imageCount: 0, count: 4, seed: 11)
    #expect(plain.bestScores == following.scores)
  }
}

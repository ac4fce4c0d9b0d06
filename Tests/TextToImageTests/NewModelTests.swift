import Configuration
import Files
import NeuralNetworks
import Tensors
import Testing
import TestSupport

@testable import TextToImage

/// Models that are made from settings, and the settings themselves.
@Suite struct NewModelTests {
  @Test func foldersHoldTheWholeModel() throws {
    let model = try Squares.makeModel()
    let temporary = try TemporaryFolder()
    let folder = temporary.file("model")
    try model.write(folder: folder)
    let read = try TextToImageModel(folder: folder)
    #expect(read.fingerprint == model.fingerprint)
    #expect(read.tokenizer.tokens("a red square").count == 5, "words are tokens")
    #expect(read.tokenizer.tokens("überall 🎈").count == 6, "other words are bytes, cut to fit")
    #expect(read.scheduler.json.members?["clip_sample"] == false, "guidance and clamping clash")
    #expect(read.unet.configuration.sampleSize == [4, 4] && read.reduction == 2)
    #expect(try Squares.makeModel(seed: 4).fingerprint != model.fingerprint)
  }

  @Test func theSmallModelIsSmall() throws {
    let model = try NewModelConfiguration().makeModel(
      vocabulary: BytePairVocabulary(trainedOn: Squares.names, size: 1_200), width: 32,
      height: 32, seed: 0)
    let count = model.parameters.elementCount
    #expect((3_000_000...5_000_000).contains(count), "\(count) weights")
  }

  @Test func wrongSettingsAreNamed() throws {
    let wrong: [(key: String, change: (inout NewModelConfiguration) -> Void)] = [
      ("text.vocabularySize", { $0.text.vocabularySize = 100 }),
      ("text.tokenCount", { $0.text.tokenCount = 2 }),
      ("text.headCount", { $0.text.headCount = 3 }),
      ("unet.channels", { $0.unet.channels = [64, 100] }),
      ("unet.channels", { $0.unet.channels = [] }),
      ("unet.readsPrompt", { $0.unet.readsPrompt = [true] }),
      ("unet.layerCount", { $0.unet.layerCount = 0 }),
      ("noise.timeStepCount", { $0.noise.timeStepCount = 1 }),
    ]
    for (key, change) in wrong {
      var configuration = NewModelConfiguration()
      change(&configuration)
      let error = #expect(throws: ConfigurationError.self) { try configuration.validate() }
      #expect(error?.key == key)
    }
    let vocabulary = BytePairVocabulary(trainedOn: Squares.names, size: 600)
    let error = #expect(throws: ConfigurationError.self) {
      try NewModelConfiguration().makeModel(
        vocabulary: vocabulary, width: 30, height: 32, seed: 0)
    }
    #expect(error?.key == "width")

    let trainings: [(key: String, change: (inout PromptedTrainingConfiguration) -> Void)] = [
      ("batchSize", { $0.batchSize = 0 }), ("promptDropout", { $0.promptDropout = 1.5 }),
      ("learningRate", { $0.learningRate = .nan }), ("warmUpCount", { $0.warmUpCount = -1 }),
      ("minimumSNRGamma", { $0.minimumSNRGamma = -1 }),
    ]
    for (key, change) in trainings {
      var configuration = PromptedTrainingConfiguration()
      change(&configuration)
      let error = #expect(throws: ConfigurationError.self) { try configuration.validate() }
      #expect(error?.key == key)
    }
  }

  @Test func learningRatesRiseAndFall() {
    var configuration = PromptedTrainingConfiguration()
    configuration.batchCount = 100
    configuration.warmUpCount = 10
    configuration.learningRate = 1
    configuration.finalLearningRate = 0
    #expect(configuration.options.learningRate(atStep: 0) == 0.1)
    #expect(abs(configuration.options.learningRate(atStep: 50) - 0.5) < 1e-9)
    #expect(configuration.options.learningRate(atStep: 99) < 1e-3)
    configuration.rateShape = .constant
    #expect(
      configuration.options.learningRate(atStep: 4) == 0.5
        && configuration.options.learningRate(atStep: 99) == 1)
  }
}

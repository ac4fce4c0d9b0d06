import CaptionedMedia
import Configuration
import Foundation
import Media
import NeuralNetworks
import Tensors
import Testing
import TestSupport

@testable import Rewards

/// The trainings of the CLIP model and of the classifier, at small sizes.
@Suite(.serialized) struct TrainingTests {
  private func smallCLIP(stepCount: Int) -> CLIPTrainingConfiguration {
    var settings = CLIPTrainingConfiguration()
    settings.width = 32
    settings.headCount = 2
    settings.imageLayerCount = 2
    settings.textLayerCount = 1
    settings.projectionSize = 32
    settings.vocabularySize = 600
    settings.optimization = optimization(stepCount: stepCount, batchSize: 32)
    return settings
  }

  private func optimization(stepCount: Int, batchSize: Int) -> OptimizationSettings {
    var settings = OptimizationSettings()
    settings.batchSize = batchSize
    settings.stepCount = stepCount
    settings.learningRate = 3e-3
    settings.warmUpStepCount = min(20, stepCount / 4)
    settings.emaDecay = 0.95
    return settings
  }

  private func smallClassifier(stepCount: Int) -> ClassifierTrainingConfiguration {
    var settings = ClassifierTrainingConfiguration()
    settings.channels = [16, 16, 32]
    settings.hiddenSize = 64
    settings.noise = 0.1
    settings.optimization = optimization(stepCount: stepCount, batchSize: 32)
    return settings
  }

  /// The two passes give the loss and the gradients of one pass over everything.
  @Test func twoPassesAreOne() throws {
    let trained = CLIPModelTests.tinyModel()
    let model = trained.model
    let count = 10
    var random = RandomStream(seed: 4)
    let images = random.normal([count, 32, 32, 3])
    // Two texts are equal.
    let texts = (0..<count).map { "a human with \($0 == 7 ? 2 : $0) red robes" }
    let tokens = texts.map(trained.tokens)
    let isTrue = texts.flatMap { text in texts.map { $0 == text } }
    #expect(isTrue.count { $0 } == count + 2)
    let (value, direct) = valueAndGradients {
      ContrastiveLoss.value(
        images: model.imageFeatures(images).normalizedRows(),
        texts: model.textFeatures(trained.padded(tokens[...])).normalizedRows(),
        logitScale: model.logitScale.tensor, isTrue: isTrue)
    }
    let result = try EmbeddingGradients(
      imageCount: count, textCount: count, shardSize: 3, parameters: [model.logitScale],
      trained: model.parameters,
      embedImages: { model.imageFeatures(images.slice($0)).normalizedRows() },
      embedTexts: { model.textFeatures(trained.padded(tokens[$0])).normalizedRows() }
    ) { images, texts in
      ContrastiveLoss.value(
        images: images, texts: texts, logitScale: model.logitScale.tensor, isTrue: isTrue)
    }
    #expect(!(abs(result.loss - Double(value.scalar)) > 1e-5))
    let norm = direct.globalNorm(of: model.parameters)
    #expect(norm > 0.01)
    for (name, parameter) in model.parameters {
      let expected = try #require(direct[parameter.leaf], "\(name)")
      let found = try #require(result.gradients[parameter.leaf], "\(name)")
      let difference = maxDifference(found, expected)
      #expect(difference <= 1e-5 * Float(max(1, norm)), "\(name): \(difference)")
    }
  }

  /// The loss by hand for two pairs, and with what is true not held against an image.
  @Test func lossIsTheMeanOfBothDirections() {
    let images = Tensor(shape: [2, 2], elements: [1, 0, 0, 1])
    let texts = Tensor(shape: [2, 2], elements: [0.8, 0.6, -0.28, 0.96])
    let value = ContrastiveLoss.value(
      images: images, texts: texts, logitScale: Tensor(Float(log(2.0))),
      isTrue: [true, false, false, true])
    // Logits 2 [[0.8, -0.28], [0.6, 0.96]]: rows and columns ask different things.
    func cross(_ own: Double, _ other: Double) -> Double { log(1 + exp(2 * (other - own))) }
    let rows = (cross(0.8, -0.28) + cross(0.96, 0.6)) / 2
    let columns = (cross(0.8, 0.6) + cross(0.96, -0.28)) / 2
    #expect(abs(rows - columns) > 0.01)
    #expect(!(abs(Double(value.scalar) - (rows + columns) / 2) > 1e-6))
    let masked = ContrastiveLoss.value(
      images: images, texts: texts, logitScale: Tensor(Float(log(2.0))),
      isTrue: [true, true, false, true])
    // Of the four logits only the second text's for the first image is not counted.
    let half = (cross(0.96, 0.6) + cross(0.8, 0.6)) / 4
    #expect(!(abs(Double(masked.scalar) - half) > 1e-6))
  }

  @Test func clipLearns() throws {
    let training = try CLIPTraining(
      smallCLIP(stepCount: 120), composer: Goldens.composer(), validationCount: 128, seed: 1)
    let before = try #require(try training.validationMetrics()["retrievalAccuracy"])
    let itemsBefore = try #require(try training.validationMetrics()["itemAccuracy"])
    var losses: [Double] = []
    while training.stepIndex < 120 { losses.append(try training.step().loss) }
    let after = try #require(try training.validationMetrics()["retrievalAccuracy"])
    print("retrieval among 16: \(before) to \(after); loss \(losses[0]) to \(losses[119])")
    #expect(before < 0.3)
    #expect(after > before + 0.25)
    let items = try #require(try training.validationMetrics()["itemAccuracy"])
    #expect(items > itemsBefore + 0.2, "\(itemsBefore) to \(items)")

    // What is written scores as what was measured.
    let folder = try TemporaryFolder()
    try training.write(folder: folder.file("model"))
    let read = try ImageTextModel(folder: folder.file("model"))
    let source = try DollSource(Goldens.composer(), seed: ~1)
    #expect(RetrievalAccuracy.measure(read, source, count: 128) == after)

    // By hand: the nearest caption of 16 may be another's, if it is true.
    let batch = DollBatch(source, at: 0..<128)
    let truth = batch.truth(PromptParser(source.composer.catalog))
    let images = read.features(of: Image.batch(batch.images, range: .minusOneToOne))
    let cosines = images.matmul(read.features(of: batch.captions).transposed()).elements
    var (trueCount, ownCount) = (0, 0)
    for row in 0..<128 {
      let group = row / 16 * 16..<row / 16 * 16 + 16
      let nearest = try #require(
        group.max { cosines[row * 128 + $0] < cosines[row * 128 + $1] })
      if truth[row * 128 + nearest] { trueCount += 1 }
      if nearest == row { ownCount += 1 }
    }
    #expect(Double(trueCount) / 128 == after && ownCount < trueCount, "\(ownCount)")
  }

  /// Squares of four colors, a file and a text each.
  private func squares(_ count: Int, in folder: TemporaryFolder) throws -> ImageFolderSource {
    let colors: [(name: String, samples: [UInt8])] = [
      ("red", [220, 30, 30]), ("green", [20, 200, 20]), ("blue", [10, 40, 230]),
      ("yellow", [230, 220, 10]),
    ]
    for index in 0..<count {
      let (name, samples) = colors[index % colors.count]
      let image = Image(width: 16, height: 16, channelCount: 3) { target in
        for place in 0..<target.count { target[place] = samples[place % 3] - UInt8(index % 10) }
      }
      try image.writePNG(to: folder.file("\(100 + index).png"))
      try folder.write("a \(name) square", to: "\(100 + index).txt")
    }
    return try ImageFolderSource(path: folder.path, width: 16, height: 16)
  }

  /// Images of a user's own: the loss falls, and images that were kept find their captions.
  @Test func clipLearnsFromAFolder() throws {
    let folder = try TemporaryFolder()
    let source = try squares(40, in: folder)
    var settings = smallCLIP(stepCount: 80)
    settings.patchSize = 8
    let training = try CLIPTraining(settings, source: source, validationFraction: 0.4, seed: 1)
    var losses: [Double] = []
    while !training.isFinished { losses.append(try training.step().loss) }
    let (first, last) = (losses.prefix(5).max() ?? 0, losses.suffix(5).max() ?? .infinity)
    print("loss \(first) to \(last)")
    #expect(last < 0.3 * first, "\(losses)")
    let metrics = try training.validationMetrics()
    #expect(metrics.keys.sorted() == ["retrievalAccuracy"])
    #expect(try #require(metrics["retrievalAccuracy"]) > 0.9)
    #expect(training.notes.count == 2)
    #expect(training.notes[0].contains("captions alone are learned from"))
    #expect(training.notes[1].contains("16 of 16 images"))
  }

  /// Pairs that are kept for validation are in no batch; equal captions are true of each other.
  @Test func keptPairsAreNotLearnedFrom() throws {
    let folder = try TemporaryFolder()
    let source = try squares(20, in: folder)
    var pairs = try CaptionedPairing(
      source, batchSize: 5, validationFraction: 0.25, validationCount: 64, seed: 3)
    // The red samples of the images tell them apart: color and index are in them.
    func seen(_ images: Tensor) -> [[Float]] {
      (0..<images.shape[0]).map { Array(images.slice($0..<$0 + 1).elements.prefix(3)) }
    }
    var learned: Set<[Float]> = []
    for step in 0..<9 {
      let batch = try pairs.batch(step: step, size: 5)
      #expect(batch.questions == nil)
      learned.formUnion(seen(batch.images))
      for row in 0..<5 {
        for column in 0..<5 {
          #expect(
            batch.isTrue[row * 5 + column] == (batch.captions[row] == batch.captions[column]))
        }
      }
      var again = pairs
      #expect(try again.batch(step: step, size: 5).captions == batch.captions)
    }
    // Twenty images, of which each is another, less a quarter.
    let all = Set(seen(try source.batch(at: Array(0..<20)).images))
    #expect(all.count == 20 && learned.count == 15 && learned.isSubset(of: all))
  }

  @Test func captionsMustDiffer() throws {
    let folder = try TemporaryFolder()
    let source = try squares(1, in: folder)
    #expect(throws: ConfigurationError.self) {
      try CLIPTraining(smallCLIP(stepCount: 20), source: source, seed: 1)
    }
  }

  @Test func classifierLearns() throws {
    let training = try ClassifierTraining(
      smallClassifier(stepCount: 150), composer: Goldens.composer(), validationCount: 128, seed: 2)
    let untrained = try training.validationMetrics()
    let before = try #require(untrained["attributeAccuracy"])
    // Some slots are right by chance, all slots of an image hardly ever.
    #expect(try #require(untrained["imageAccuracy"]) < before)
    var accuracy = 0.0
    while training.stepIndex < 150 { accuracy = try training.step().accuracy }
    let metrics = try training.validationMetrics()
    let after = try #require(metrics["attributeAccuracy"])
    // The share of the slots of a batch.
    #expect((0.6...1).contains(accuracy), "\(accuracy)")
    print("attribute accuracy: \(before) to \(after); \(metrics)")
    #expect(after > 0.75 && after > before + 0.2)
    #expect(metrics["baseAccuracy"] != nil && metrics["attributeAccuracyHeldOut"] != nil)

    let folder = try TemporaryFolder()
    try training.write(folder: folder.file("model"))
    let read = try AttributeClassifier(folder: folder.file("model"))
    let averaged = try training.emaClassifier()
    let (images, _) = try Goldens.images(4)
    #expect(read.seen(in: images) == averaged.seen(in: images))
    #expect(read.classes == averaged.classes)

    // Half the bytes, the same scores.
    try training.write(folder: folder.file("half"), elementType: .float16)
    let half = try AttributeClassifier(folder: folder.file("half"))
    #expect(half.seen(in: images) == averaged.seen(in: images))
    let sizes = try ["model", "half"].map {
      try folder.bytes("\($0)/model.safetensors").count
    }
    #expect(Double(sizes[1]) < 0.6 * Double(sizes[0]))
  }

  /// A restored training goes on with the same bits; threads do not matter.
  @Test func resumedTrainingsAreExact() throws {
    let composer = try Goldens.composer()
    let makers: [() throws -> any RewardTraining] = [
      { try CLIPTraining(smallCLIP(stepCount: 6), composer: composer, seed: 3) },
      { try ClassifierTraining(smallClassifier(stepCount: 6), composer: composer, seed: 3) },
    ]
    let threads = WorkerPool.shared.threadCount
    defer { WorkerPool.shared.threadCount = threads }
    for make in makers {
      let whole = try make()
      for _ in 0..<3 { _ = try whole.step() }
      let saved = try whole.trainingState()
      var reports: [RewardTrainingReport] = []
      for _ in 0..<2 { reports.append(try whole.step()) }
      WorkerPool.shared.threadCount = 1
      let resumed = try make()
      try resumed.restore(saved)
      #expect(resumed.stepIndex == 3)
      for report in reports { #expect(try resumed.step() == report) }
      let (expected, found) = try (whole.trainingState(), resumed.trainingState())
      #expect(found.numbers == expected.numbers)
      #expect(found.tensors.keys.sorted() == expected.tensors.keys.sorted())
      for (name, tensor) in expected.tensors {
        #expect(found.tensors[name]?.elements == tensor.elements, "\(name)")
      }
      WorkerPool.shared.threadCount = threads
      #expect(throws: ParameterError.self) {
        try make().restore(TrainingState(tensors: [:], numbers: saved.numbers, texts: [:]))
      }
    }
  }

  /// A loss that is not finite changes nothing.
  @Test func nonFiniteLossesStopTrainings() throws {
    let composer = try Goldens.composer()
    let trainings: [any RewardTraining] = [
      try CLIPTraining(smallCLIP(stepCount: 6), composer: composer, seed: 3),
      try ClassifierTraining(smallClassifier(stepCount: 6), composer: composer, seed: 3),
    ]
    for training in trainings {
      var state = try training.trainingState()
      for (name, tensor) in state.tensors where name.hasPrefix("weights.") {
        state.tensors[name] = tensor * Float.nan
      }
      try training.restore(state)
      let error = #expect(throws: NonFiniteGradient.self) { try training.step() }
      // The weight at fault is named, not the loss that it leads to.
      #expect(
        try error.map { try training.trainingState().tensors.keys.contains("weights.\($0.name)") }
          == true)
      #expect(training.stepIndex == 0)
      #expect(try training.trainingState().numbers == state.numbers)
    }
  }

  /// Questions are about every item; answers that are right too are not held against an image.
  @Test func everyItemIsAskedFor() throws {
    func item(_ slot: DollSlot, _ phrase: String) -> DollItem {
      DollItem(slot: slot, file: "", phrase: phrase, noun: "thing", color: "")
    }
    let dolls = [
      Doll([item(.base, "human"), item(.hand1, "dagger"), item(.hand2, "book")]),
      Doll([item(.base, "elf"), item(.hand1, "dagger"), item(.hand2, "dagger")]),
      Doll([item(.base, "elf"), item(.hand1, "book")]),
    ]
    let questions = ItemQuestions(about: dolls)
    #expect(questions.answers == ["a human", "a dagger", "a book", "an elf"])
    // Cosines of the images with the answers, at a scale of 1.
    let cosines: [[Double]] = [
      [0.1, 0.2, 0.3, 0.4], [0.5, -0.1, 0.2, 0.3], [0.9, 0.8, -0.7, 0.6],
    ]
    func cross(_ row: Int, _ target: Int, _ others: [Int]) -> Double {
      let all = [target] + others
      return log(all.reduce(0) { $0 + exp(cosines[row][$1]) }) - cosines[row][target]
    }
    // The first doll has book and dagger: neither is a wrong answer for the other hand.
    let expected =
      (cross(0, 0, [3]) + cross(0, 1, []) + cross(0, 2, [])  // human, dagger, book
        + cross(1, 3, [0]) + cross(1, 1, [2]) + cross(1, 1, [2])  // elf, dagger twice
        + cross(2, 3, [0]) + cross(2, 2, [1])) / 8
    let images = Tensor(shape: [3, 4], elements: cosines.flatMap { $0.map(Float.init) })
    let answers = Tensor(
      shape: [4, 4], elements: (0..<16).map { $0.isMultiple(of: 5) ? 1 : 0 })
    let loss = questions.loss(images: images, answers: answers, logitScale: Tensor(0))
    #expect(!(abs(Double(loss.scalar) - expected) > 1e-5))
    // Right are dagger and book of the first doll, whose other hand is no wrong answer.
    #expect(questions.accuracy(images: images, answers: answers) == 2.0 / 8)
  }

  /// A caption is true of every doll that has what it mentions.
  @Test func captionsAreTrueOfSeveralDolls() throws {
    let composer = try Goldens.composer()
    var groups = DollGroups()
    groups.size = 16
    let source = try DollSource(composer, seed: 5, groups: groups)
    let batch = DollBatch(source, at: 0..<64)
    let parser = PromptParser(composer.catalog)
    let truth = batch.truth(parser)
    let group = 16..<32
    #expect(
      batch.truth(parser, in: group)
        == group.flatMap { row in group.map { truth[row * 64 + $0] } })
    var foreignCount = 0
    for row in 0..<64 {
      for column in 0..<64 {
        let asked = PromptAttributes(parsing: batch.captions[column], catalog: composer.catalog)
        let expected = asked.fraction(presentIn: batch.dolls[row]) == 1
        #expect(truth[row * 64 + column] == expected)
        if row != column && expected { foreignCount += 1 }
      }
    }
    #expect(foreignCount > 0)
    #expect(foreignCount < 64 * 15)
  }

  @Test func settingsAreChecked() {
    var clip = CLIPTrainingConfiguration()
    clip.alike.size = 7
    #expect(throws: Never.self) { try clip.validate() }
    #expect(throws: ConfigurationError.self) { try clip.requireWholeGroups() }
    clip.alike.size = 8
    clip.headCount = 3
    #expect(throws: ConfigurationError.self) { try clip.validate() }
    clip.headCount = 4
    clip.optimization.warmUpStepCount = clip.optimization.stepCount
    let error = #expect(throws: ConfigurationError.self) { try clip.validate() }
    #expect(error?.key == "optimization.warmUpStepCount")
    clip.optimization.stepCount = .max
    let limit = #expect(throws: ConfigurationError.self) { try clip.validate() }
    #expect(limit?.key == "optimization.stepCount")
    var classifier = ClassifierTrainingConfiguration()
    classifier.channels = [32, 60, 128]
    #expect(throws: ConfigurationError.self) { try classifier.validate() }
    #expect(throws: ConfigurationError.self) {
      var settings = CLIPTrainingConfiguration()
      settings.patchSize = 5
      _ = try CLIPTraining(settings, composer: Goldens.composer(), seed: 0)
    }
  }
}

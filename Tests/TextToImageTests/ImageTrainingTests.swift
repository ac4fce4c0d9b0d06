import Configuration
import Diffusion
import Files
import GenerativeModels
import NeuralNetworks
import Tensors
import Testing
import TestSupport

@testable import TextToImage

/// Training of text-to-image models: what is learned, and that it is reproducible.
@Suite(.serialized) struct ImageTrainingTests {
  private func training(
    _ source: Squares = Squares(), seed: UInt64 = 1,
    communicator: any Communicator = SingleProcess(),
    _ change: (inout PromptedTrainingConfiguration) -> Void = { _ in }
  ) throws -> ImageTraining {
    var settings = Squares.settings
    change(&settings)
    return try ImageTraining(
      model: Squares.makeModel(), configuration: settings, source: source, seed: seed,
      communicator: communicator)
  }

  private func steps(_ training: ImageTraining, _ count: Int) throws -> [Double] {
    try (0..<count).map { _ in try training.step().loss }
  }

  /// Everything that a training knows, as bits.
  private func bits(_ training: ImageTraining) -> [String: [UInt32]] {
    training.trainingState().tensors.mapValues { $0.elements.map(\.bitPattern) }
  }

  @Test func goesOnExactly() throws {
    let whole = try training()
    let losses = try steps(whole, 4)
    let first = try training()
    let firstLosses = try steps(first, 2)
    let second = try training()
    try second.restore(first.trainingState())
    #expect(second.batchIndex == 2)
    #expect(try firstLosses + steps(second, 2) == losses)
    #expect(bits(second) == bits(whole))
    #expect(bits(first) != bits(whole))
    #expect(Set(losses).count == 4)
  }

  @Test func threadsDoNotMatter() throws {
    let threads = WorkerPool.shared.threadCount
    defer { WorkerPool.shared.threadCount = threads }
    let results = try [1, 3].map { count in
      WorkerPool.shared.threadCount = count
      let training = try training()
      _ = try steps(training, 2)
      return bits(training)
    }
    #expect(results[0] == results[1])
  }

  /// Two ranks share each batch and give the bits of one.
  @Test func ranksLearnTogether() throws {
    let alone = try training()
    let losses = try steps(alone, 2)
    let ranks = try ThreadRank.run(processCount: 2) { rank in
      let training = try training(communicator: rank)
      return (losses: try steps(training, 2), bits: bits(training))
    }
    for rank in ranks {
      #expect(rank.losses == losses)
      #expect(rank.bits == bits(alone))
    }
  }

  @Test func statesOfOtherModelsAreRefused() throws {
    var state = try training().trainingState()
    state.texts["merges"] = "a b"
    #expect(throws: ConfigurationError.self) { try training().restore(state) }
    state = try training().trainingState()
    state.tensors["weights.unet.conv_in.bias"] = nil
    #expect(throws: ParameterError.self) { try training().restore(state) }
  }

  @Test func droppedPromptsDoNotMatter() throws {
    let other = Squares(caption: "a blue blue blue square")
    func loss(_ source: Squares, dropout: Double) throws -> Double {
      try training(source) { $0.promptDropout = dropout }.step().loss
    }
    #expect(try loss(Squares(), dropout: 1) == loss(other, dropout: 1))
    #expect(try loss(Squares(), dropout: 0) != loss(other, dropout: 0))
  }

  /// In latents, the U-Net alone.
  @Test func frozenPartsStay() throws {
    let model = try TinyModel().load()
    var settings = Squares.settings
    settings.trainsTextEncoder = false
    settings.batchSize = 2
    let training = try ImageTraining(
      model: model, configuration: settings, source: Squares(), seed: 1)
    let before = model.parameters.values
    let loss = try training.step().loss
    #expect(loss.isFinite && loss > 0)
    let changed = model.parameters.values.filter { maxDifference($1, before[$0]!) > 0 }
    #expect(changed.count > 50 && changed.keys.allSatisfy { $0.hasPrefix("unet.") })
    let unetCount = model.unet.parameters.elementCount
    #expect(training.parameterCount == unetCount)
  }

  @Test func emaWeightsComeAndGo() throws {
    let training = try training()
    _ = try steps(training, 3)
    let current = training.trainingState().tensors(under: "weights")
    let average = training.trainingState().tensors(under: "average")
    training.withEMAWeights { model in
      for (name, value) in average where name.hasPrefix("unet.") {
        #expect(maxDifference(model.parameters[name]!.value, value) == 0)
      }
    }
    for (name, value) in current {
      #expect(maxDifference(training.model.parameters[name]!.value, value) == 0)
    }
    #expect(maxDifference(current["unet.conv_in.bias"]!, average["unet.conv_in.bias"]!) > 0)
  }

  @Test func weightsFollowSNR() throws {
    for isStretched in [false, true] {
      var schedule = NoiseSchedule.squaredCosine(timeStepCount: 100)
      if isStretched { schedule = schedule.rescaledToZeroTerminalSNR() }
      for type in PredictionType.allCases {
        let equal = DenoisingLoss<UNet2DConditionModel>.weights(
          of: schedule, predictionType: type, gamma: 0)
        #expect(equal == Array(repeating: 1, count: 100))
        let weights = DenoisingLoss<UNet2DConditionModel>.weights(
          of: schedule, predictionType: type, gamma: 5)
        #expect(weights.allSatisfy { (0...5).contains($0) })
        for step in stride(from: 0, to: 99, by: 7) {
          let alphaBar = schedule.cumulativeAlphas[step]
          let ratio = alphaBar / (1 - alphaBar)
          let expected =
            switch type {
            case .noise: min(ratio, 5) / ratio
            case .sample: min(ratio, 5)
            case .velocity: min(ratio, 5) / (ratio + 1)
            }
          #expect(abs(weights[step] - expected) <= 1e-4 * expected, "\(type) at \(step)")
        }
      }
    }
  }

  /// The error of the three predictions is the same error, times SNR and SNR + 1.
  @Test func predictionsAgree() throws {
    let parts = try Squares.makeModel()
    var random = RandomStream(seed: 2)
    let samples = random.normal([2, 4, 4, 12])
    let noise = random.normal([2, 4, 4, 12])
    let prompts = Squares.names.map(parts.tokenizer.paddedTokens)
    for type in PredictionType.allCases {
      let scheduler = try SchedulerConfiguration(betas: .squaredCosine, predictionType: type)
      let model = try TextToImageModel(
        tokenizer: parts.tokenizer, textEncoder: parts.textEncoder, unet: parts.unet,
        autoencoder: nil, scheduler: scheduler)
      let loss = DenoisingLoss(model: model, configuration: Squares.settings)
      let times = [100, 700]
      let errors = loss.squaredErrors(
        samples: samples, noise: noise, timeSteps: times, prompts: prompts)
      let noisy = scheduler.schedule.noisySample(samples, noise: noise, at: .perRow(times))
      let prediction = model.unet(
        noisy, timeSteps: .perRow(times.map(Float.init)),
        context: model.unet.context(model.textEncoder.hiddenStates(prompts)))
      for (row, time) in times.enumerated() {
        let alphaBar = scheduler.schedule.cumulativeAlphas[time]
        let (a, s) = (alphaBar.squareRoot(), (1 - alphaBar).squareRoot())
        let (x, e) = (samples.slice(row..<(row + 1)), noise.slice(row..<(row + 1)))
        let target =
          switch type {
          case .noise: e
          case .sample: x
          case .velocity: e * a - x * s
          }
        let expected = (prediction.slice(row..<(row + 1)) - target).squared().sum().scalar
        #expect(abs(errors.elements[row] - expected) <= 1e-4 * expected, "\(type)")
      }
    }
  }

  #if !DEBUG
    @Test func learnsWhatPromptsMean() throws {
      let training = try training { $0.promptDropout = 0.1 }
      let losses = try steps(training, 400)
      let first = losses.prefix(40).reduce(0, +) / 40
      let last = losses.suffix(40).reduce(0, +) / 40
      #expect(last < 0.6 * first, "the loss went from \(first) to \(last)")
      try training.withEMAWeights { model in
        var settings = GenerationSettings()
        settings.stepCount = 10
        settings.guidance.scale = 2
        let images = try TextToImagePipeline(model).images(
          prompts: Squares.names, seeds: [1, 2], settings: settings)
        let colors = images.reshaped(to: [2, 64, 3]).mean(along: 1)
        let (red, blue) = (colors.slice(0..<1).elements, colors.slice(1..<2).elements)
        #expect(red[0] > 0.7 && red[2] < 0.3 && blue[0] < 0.3 && blue[2] > 0.7, "\(red) \(blue)")
      }
    }
  #endif
}

import Configuration
import Diffusion
import GenerativeModels
import NeuralNetworks
import Rewards
import Tensors
import Testing
import TestSupport

@testable import ImageFineTuning
@testable import TextToImage

/// Whole trainings: what is learned, and that it is reproducible.
@Suite(.serialized) struct ImageFineTuningTests {
  /// Everything that a training knows, as bits.
  private func bits(_ training: ImageFineTuning) throws -> [String: [UInt32]] {
    try training.trainingState().tensors.mapValues { $0.elements.map(\.bitPattern) }
  }

  @Test(arguments: [0, 4])
  func goesOnExactly(loraRank: Int) throws {
    func training() throws -> ImageFineTuning {
      try TinyModels.training {
        $0.loraRank = loraRank
        $0.klCoefficient = 0.1
        $0.epochs = 2
        $0.trainedStepFraction = 0.5
        $0.promptsPerIteration = 1
      }
    }
    func numbers(_ metrics: Metrics) -> [Double] {
      ["reward", "klDivergence", "policyLoss", "gradientNorm"].map { metrics[$0]! }
    }
    let whole = try training()
    let reports = try (0..<4).map { _ in numbers(try whole.iterate()) }
    #expect(whole.isFinished && whole.imageCount == 24)
    let first = try training()
    let firstReports = try (0..<2).map { _ in numbers(try first.iterate()) }
    let second = try training()
    try second.restore(first.trainingState())
    #expect(second.iteration == 2 && second.imageCount == 12)
    let secondReports = try (0..<2).map { _ in numbers(try second.iterate()) }
    #expect(firstReports + secondReports == reports)
    #expect(try bits(second) == bits(whole))
    #expect(try bits(first) != bits(whole))
    #expect(
      try second.trainingState().texts == whole.trainingState().texts)
    #expect(Set(reports.map { $0[0] }).count == 4)
  }

  @Test func threadsDoNotMatter() throws {
    let threads = WorkerPool.shared.threadCount
    defer { WorkerPool.shared.threadCount = threads }
    let results = try [1, 3].map { count in
      WorkerPool.shared.threadCount = count
      let training = try TinyModels.training { $0.klCoefficient = 0.1 }
      _ = try (0..<2).map { _ in try training.iterate() }
      return try bits(training)
    }
    #expect(results[0] == results[1])
  }

  /// Ranks share images and minibatches, and give the bits of one process.
  @Test func ranksGiveTheBitsOfOne() throws {
    let names = ["reward", "klDivergence", "policyLoss", "clipFraction", "gradientNorm", "images"]
    @Sendable func run(_ communicator: any Communicator) throws -> [String: [UInt32]] {
      let training = try TinyModels.training(communicator: communicator) {
        $0.klCoefficient = 0.1
        $0.loraRank = 2
      }
      let metrics = try (0..<2).map { _ in try training.iterate() }
      var result = try bits(training)
      for name in names {
        result[name] = metrics.flatMap { metrics -> [UInt32] in
          let bits = (metrics[name] ?? .nan).bitPattern
          return [UInt32(truncatingIfNeeded: bits), UInt32(truncatingIfNeeded: bits >> 32)]
        }
      }
      return result
    }
    let alone = try run(SingleProcess())
    for rank in try ThreadRank.run(processCount: 2, run) { #expect(rank == alone) }
  }

  /// The update sees the policy that drew: no ratio differs from 1 before the first step.
  @Test(arguments: [false, true], [false, true])
  func ratiosStartAtOne(isLatent: Bool, drawsOtherwise: Bool) throws {
    let model = try isLatent ? TinyModels.stableDiffusion() : TinyModels.pixels()
    var settings = GenerationSettings()
    if drawsOtherwise {
      settings.guidance.rescale = 0.7
      settings.skippedTextLayerCount = 1
      settings.isTiled = true
    }
    settings.sampler = .ddim
    settings.eta = 1
    settings.stepCount = 6
    settings.batchSize = 5
    let collector = try ImageRolloutCollector(
      TextToImagePipeline(model), settings: settings, reduction: .mean, seed: 1)
    // Only a chain that ends at the clean sample has a last step without noise.
    #expect(collector.stochasticSteps == Array(0..<(isLatent ? 6 : 5)))
    let prompts = (0..<8).map { TinyModels.prompts[$0 / 4] }
    let rollout = try collector.collect(prompts, iteration: 0)
    #expect(rollout.states.shape == [8, 7] + collector.sampleShape)
    #expect(rollout.media.count == 8 && rollout.media.allSatisfy { $0.frameRate == nil })
    let update = DenoisingUpdate(
      unet: model.unet, frozen: model.unet.frozenCopy(),
      prompts: try EncodedPrompts(prompts, model: model, settings: settings),
      process: collector.process,
      guidance: settings.guidance, reduction: .mean, clipRange: 1e-5, klCoefficient: 1,
      shardSize: 3)
    let steps = Array(collector.stochasticSteps.indices)
    let (batch, old) = rollout.transitions(of: Array(0..<8), steps: prompts.map { _ in steps })
    let sums = try update.gradients(
      update.batch(
        batch, prompts: prompts.flatMap { [String](repeating: $0, count: steps.count) },
        oldLogProbabilities: old, advantages: [Float](repeating: 1, count: 8 * steps.count))
    ).sums
    #expect(sums["clipped"] == 0, "a ratio differs from 1 by more than 1e-5")
    #expect(!(abs(sums["ratio"] / sums["samples"] - 1) > 1e-5))
    #expect(!(abs(sums["policyLoss"] + 1) > 1e-5))
    #expect(sums["klPenalty"] == 0)
  }

  /// Guidance of 0 is none, in drawing and in the update, as guidance of 1 is.
  @Test func guidanceOfNothingIsOff() throws {
    let model = try TinyModels.pixels()
    func iteration(_ guidance: Double) throws -> (reward: Double, weights: [Float]) {
      let training = try TinyModels.training(model: TinyModels.pixels()) { $0.guidance = guidance }
      let reward = try training.iterate()["reward"]!
      return (reward, training.model.unet.parameters.flatMap(\.parameter.value.elements))
    }
    let (zero, one, two) = (try iteration(0), try iteration(1), try iteration(2))
    #expect(zero.reward == one.reward && zero.reward != two.reward)
    #expect(zero.weights == one.weights && zero.weights != two.weights)
    let shape = [8, 8, 12]
    func shardSize(_ scale: Float) -> Int {
      DenoisingUpdate<UNet2DConditionModel>.shardSize(
        model.unet, sampleShape: shape, guidance: Guidance(scale: scale))
    }
    #expect(shardSize(0) == shardSize(1))
  }

  @Test(arguments: [0, 4])
  func rewardsRise(loraRank: Int) throws {
    let training = try TinyModels.training {
      $0.iterations = 25
      $0.imagesPerPrompt = 16
      $0.samplingBatchSize = 16
      $0.loraRank = loraRank
      $0.learningRate = loraRank == 0 ? 1e-3 : 1e-2
      $0.clipRange = 1e-2
    }
    var reports: [Metrics] = []
    while !training.isFinished { reports.append(try training.iterate()) }
    let start = reports[0]
    let end = reports[reports.count - 1]
    print(
      "brightness with rank \(loraRank): \(start["reward"]!) +- "
        + "\(start["rewardStandardError"]!) to \(end["reward"]!), divergence "
        + "\(end["klDivergence"]!)")
    #expect(end["reward"]! > start["reward"]! + 5 * start["rewardStandardError"]!)
    #expect(start["klDivergence"] == 0 && end["klDivergence"]! > 0.1)
  }

  /// The same training with a penalty ends nearer to where it began.
  @Test func penaltiesHold() throws {
    func divergence(_ coefficient: Double) throws -> Double {
      let training = try TinyModels.training {
        $0.iterations = 8
        $0.loraRank = 0
        $0.learningRate = 1e-3
        $0.clipRange = 1e-2
        $0.klCoefficient = coefficient
      }
      var last = 0.0
      while !training.isFinished { last = try training.iterate()["klDivergence"]! }
      return last
    }
    let (free, held) = try (divergence(0), divergence(100))
    print("divergence \(free), with a penalty \(held)")
    #expect(held < 0.5 * free)
  }

  @Test func onlyTheUNetLearns() throws {
    let model = try TinyModels.stableDiffusion()
    let before = model.parameters.values
    let training = try TinyModels.training(model: model) { $0.loraRank = 0 }
    #expect(training.parameterCount == model.unet.parameters.elementCount)
    let report = try training.iterate()
    #expect(report["updates"] == 2 && report["gradientNorm"]! > 0)
    let changed = try model.parameters.values.filter {
      maxDifference($1, try #require(before[$0])) > 0
    }
    #expect(changed.count > 50 && changed.keys.allSatisfy { $0.hasPrefix("unet.") })
  }

  @Test func missingRewardsAreLeftOut() throws {
    let report = try TinyModels.training(reward: Brightness(missingCount: 5)).iterate()
    #expect(report["droppedImages"] == 5 && report["reward"]!.isFinite)
    #expect(report["updates"] == 2 && report["images"] == 12)
    let failing = try TinyModels.training(reward: Brightness(missingCount: 7))
    #expect(throws: RewardError.self) { try failing.iterate() }
    #expect(failing.iteration == 0)
  }

  @Test func settingsThatDoNotFitAreRefused() throws {
    let bad: [(inout ImageFineTuningConfiguration) -> Void] = [
      { $0.promptsPerIteration = 3 }, { $0.eta = 0 }, { $0.stepCount = 1 },
      { $0.logProbabilityReduction = .perElement }, { $0.clipRange = 0 }, { $0.loraRank = -1 },
      { $0.learningRate = .nan },
    ]
    for change in bad {
      #expect(throws: ConfigurationError.self) { try TinyModels.training(change) }
    }
    let state = try TinyModels.training().trainingState()
    #expect(throws: ConfigurationError.self) {
      try TinyModels.training(model: TinyModels.pixels(seed: 4)).restore(state)
    }
    #expect(throws: ParameterError.self) {
      try TinyModels.training { $0.loraRank = 3 }.restore(state)
    }
  }
}

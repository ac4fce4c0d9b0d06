import Configuration
import Diffusion
import GenerativeModels
import Media
import NeuralNetworks
import Rewards
import Synchronization
import Tensors
import Testing

@testable import ImageFineTuning
@testable import TextToImage

/// What each setting of the fine-tuning of images does.
@Suite(.serialized) struct SettingTests {
  /// Remembers the prompts that it was asked about.
  private final class Recorder: ImageReward {
    private let seen = Mutex<[String]>([])
    let name = "recorder"
    var prompts: [String] { seen.withLock { $0 } }

    func scores(images: [Image], prompts: [String]) -> [Float] {
      seen.withLock { $0 += prompts }
      return images.indices.map { Float($0) }
    }
  }

  @Test func promptsAreDrawnAnewInEveryIteration() throws {
    let recorder = Recorder()
    let training = try TinyModels.training(reward: recorder) {
      $0.promptsPerIteration = 1
      $0.imagesPerPrompt = 2
      $0.rewardMinimumCount = 1
      $0.iterations = 8
    }
    while !training.isFinished { _ = try training.iterate() }
    #expect(recorder.prompts.count == 16 && Set(recorder.prompts).count == 2)
    for pair in stride(from: 0, to: 16, by: 2) {
      #expect(recorder.prompts[pair] == recorder.prompts[pair + 1])
    }
  }

  /// Three passes of two updates.
  @Test func updatesAreCounted() throws {
    let report = try TinyModels.training { $0.epochs = 3 }.iterate()
    #expect(report["updates"] == 6 && report["images"] == 12)
  }

  /// Each setting of drawing makes other images, whose reward is another; all are refused or
  /// followed by the update, as `ratiosStartAtOne` shows.
  @Test func drawingSettingsReachTheImages() throws {
    func reward(_ change: (inout ImageFineTuningConfiguration) -> Void) throws -> Double {
      let model = try TinyModels.stableDiffusion(tileSide: 8)
      return try #require(
        try TinyModels.training(model: model, change).iterate()["reward"])
    }
    let plain = try reward { _ in }
    #expect(try reward { _ in } == plain)
    #expect(try reward { $0.clipSkip = 1 } != plain)
    #expect(try reward { $0.guidanceRescale = 0.7 } != plain)
    #expect(try reward { $0.vaeTiling = true } != plain)
    let error = #expect(throws: ConfigurationError.self) { try reward { $0.clipSkip = 100 } }
    #expect(error?.key == "clipSkip" && error?.problem.contains("found 100") == true)
  }

  /// The gradient goes through the rescaling: it tells how the loss changes along itself.
  @Test func gradientsFollowRescaledGuidance() throws {
    let model = try TinyModels.pixels()
    var settings = GenerationSettings()
    settings.sampler = .ddim
    settings.eta = 1
    settings.stepCount = 4
    settings.guidance = Guidance(scale: 4, rescale: 1)
    let collector = try ImageRolloutCollector(
      TextToImagePipeline(model), settings: settings, reduction: .sum, seed: 1)
    let rollout = try collector.collect(TinyModels.prompts, iteration: 0)
    let update = DenoisingUpdate(
      unet: model.unet, frozen: model.unet.frozenCopy(),
      prompts: try EncodedPrompts(TinyModels.prompts, model: model, settings: settings),
      process: collector.process, guidance: settings.guidance, reduction: .sum, clipRange: 100,
      klCoefficient: 0, shardSize: 4)
    let (batch, old) = rollout.transitions(of: [0, 1], steps: [[0], [1]])
    func gradients() throws -> (loss: Double, gradients: Gradients) {
      let (sums, gradients) = try update.gradients(
        update.batch(
          batch, prompts: TinyModels.prompts, oldLogProbabilities: old, advantages: [1, -1]))
      return (sums["policyLoss"], gradients)
    }
    for (_, parameter) in model.unet.parameters { parameter.isTrainable = true }
    let found = try gradients().gradients
    let starts = model.unet.parameters.values
    let slopes = model.unet.parameters.compactMap { name, parameter in
      found[parameter.leaf].map { (name, parameter, $0) }
    }
    let norm = slopes.reduce(Float(0)) { $0 + $1.2.squared().sum().scalar }.squareRoot()
    #expect(norm > 0)
    func loss(at distance: Float) throws -> Double {
      for (name, parameter, slope) in slopes {
        guard let start = starts[name] else { continue }
        parameter.value = start + slope * (distance / norm)
      }
      return try gradients().loss
    }
    let step: Float = 2e-3
    let rise = (try loss(at: step) - loss(at: -step)) / Double(2 * step)
    #expect(abs(rise / Double(norm) - 1) < 0.05, "\(rise), expected \(norm)")
  }

  /// The weights after an iteration, and how far the farthest has moved.
  private func weights(
    _ change: (inout ImageFineTuningConfiguration) -> Void
  ) throws -> (after: [String: [Float]], moved: Float) {
    let training = try TinyModels.training {
      $0.loraRank = 0
      $0.weightDecay = 0
      change(&$0)
    }
    let before = training.model.unet.parameters.values
    _ = try training.iterate()
    let after = training.model.unet.parameters.values
    let moved: Float = after.reduce(0) { maximum, weight in
      max(maximum, (before[weight.key].map { ($0 - weight.value).maximumMagnitude }) ?? .nan)
    }
    return (after.mapValues(\.elements), moved)
  }

  /// Adam's step does not depend on the gradient's length, until that falls below its epsilon.
  @Test func gradientsAreScaledToTheirLimit() throws {
    let free = try weights { $0.gradientNormLimit = 0 }.moved
    let held = try weights { $0.gradientNormLimit = 1e-12 }.moved
    #expect(free > 1e-4 && held < 1e-2 * free, "\(free) and \(held)")
  }

  @Test func someStepsAreTrainedOn() throws {
    let all = try weights { $0.trainedStepFraction = 1 }.after
    #expect(try weights { $0.trainedStepFraction = 0.25 }.after != all)
  }

  /// The divergence is that of a whole chain: about the sum over its steps of their means over
  /// images, and not a fourth of that, which is one step's.
  @Test func divergenceIsOfTheWholeChain() throws {
    let model = try TinyModels.pixels()
    let frozen = model.unet.frozenCopy()
    let training = try TinyModels.training(model: model) {
      $0.loraRank = 0
      $0.learningRate = 1e-3
    }
    _ = try training.iterate()
    let collector = try ImageRolloutCollector(
      TextToImagePipeline(model), settings: training.settings,
      reduction: training.configuration.logProbabilityReduction, seed: 1)
    let prompts = TinyModels.prompts.flatMap { [String](repeating: $0, count: 6) }
    let rollout = try collector.collect(prompts, iteration: 1)
    let update = DenoisingUpdate(
      unet: model.unet, frozen: frozen,
      prompts: try EncodedPrompts(prompts, model: model, settings: training.settings),
      process: collector.process, guidance: training.settings.guidance, reduction: .mean,
      clipRange: 1, klCoefficient: 0, shardSize: 4)
    let steps = Array(rollout.stochasticSteps.indices)
    #expect(steps.count == 4)
    let sum = steps.reduce(0.0) { sum, step in
      let (batch, _) = rollout.transitions(
        of: Array(0..<12), steps: prompts.map { _ in [step] })
      return sum + Double(update.divergences(batch, prompts: prompts).mean().scalar)
    }
    let found = try training.iterate()["klDivergence"]!
    #expect(found > 0.5 * sum && found < 2 * sum, "\(found), expected about \(sum)")
  }

  /// Three images of each of two iterations begin with noise of their own.
  @Test func noiseIsNewInEveryIteration() throws {
    let training = try TinyModels.training()
    let collector = try ImageRolloutCollector(
      TextToImagePipeline(training.model), settings: training.settings, reduction: .mean, seed: 1)
    let noise = try (0..<2).flatMap { iteration in
      let states = try collector.collect(
        [String](repeating: TinyModels.prompts[0], count: 3), iteration: iteration
      ).states
      return (0..<3).map { states[$0][0].elements }
    }
    #expect(Set(noise).count == 6)
  }

  /// Nothing learns: the loss of minibatches of two and three images, whose means are averaged, is
  /// that of one pass where all have the same minibatches.
  @Test func everyPassHasOtherMinibatches() throws {
    func loss(_ epochs: Int) throws -> Double {
      try TinyModels.training {
        $0.learningRate = 0
        $0.updatesPerEpoch = 5
        $0.epochs = epochs
      }.iterate()["policyLoss"]!
    }
    let (one, two) = try (loss(1), loss(2))
    #expect(abs(two - one) > 1e-4, "\(one) and \(two)")
  }
}

extension Tensor {
  fileprivate var maximumMagnitude: Float { elements.reduce(0) { max($0, abs($1)) } }
}

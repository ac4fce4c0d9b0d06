import Diffusion
import Files
import GenerativeModels
import NeuralNetworks
import ReinforcementLearning
import Tensors
import TestSupport
import Testing

@testable import ImageFineTuning
@testable import TextToImage

/// Log-probabilities, ratios, divergences, losses and gradients against ddpo-pytorch and PyTorch.
@Suite struct UpdateGoldenTests {
  private static let prompts = [
    "a knight with a golden shield", "An astronaut's CAT, 東京 😀", "a knight with a golden shield",
  ]
  private static let imageCount = 3
  private static let stepCount = 4
  private let goldens: SafetensorsFile
  private let model: TextToImageModel
  private let frozen: UNet2DConditionModel
  private let process: DenoisingProcess
  private let encoded: EncodedPrompts

  init() throws {
    goldens = try Goldens.file()
    model = try TinyModels.stableDiffusion()
    frozen = model.unet.frozenCopy()
    var settings = GenerationSettings()
    settings.sampler = .ddim
    settings.eta = 1
    settings.stepCount = Self.stepCount
    process = try TextToImagePipeline(model).process(settings)
    encoded = try EncodedPrompts(Self.prompts, model: model, settings: settings)
  }

  private func update(klCoefficient: Float = 0, shardSize: Int = 5) -> DenoisingUpdate<
    UNet2DConditionModel
  > {
    DenoisingUpdate(
      unet: model.unet, frozen: frozen, prompts: encoded, process: process,
      guidance: Guidance(scale: 5), reduction: .mean, clipRange: 3e-3,
      klCoefficient: klCoefficient, shardSize: shardSize)
  }

  /// All transitions of all images.
  private func minibatch() throws -> TransitionBatch<[String]> {
    let rollout = ImageRollout(
      prompts: Self.prompts, states: try goldens.tensor(named: "states"),
      logProbabilities: try goldens.tensor(named: "log-probabilities"), media: [],
      ownRows: 0..<0, stochasticSteps: Array(0..<Self.stepCount))
    let (batch, old) = rollout.transitions(
      of: Array(0..<Self.imageCount),
      steps: (0..<Self.imageCount).map { _ in Array(0..<Self.stepCount) })
    func repeated<Value>(_ values: [Value]) -> [Value] {
      values.flatMap { [Value](repeating: $0, count: Self.stepCount) }
    }
    return update().batch(
      batch, prompts: repeated(Self.prompts), oldLogProbabilities: old,
      advantages: repeated(try goldens.tensor(named: "advantages").elements))
  }

  /// The weights of the golden's policy.
  private func movePolicy() {
    var random = TorchRandom(seed: 5)
    for (_, parameter) in model.unet.parameters.sorted(by: { $0.name < $1.name }) {
      let draws = random.normal(parameter.value.shape)
      parameter.value = parameter.value * (draws * 0.01 + 1)
    }
  }

  private func logProbabilities() throws -> Tensor {
    let batch = try minibatch()
    let densities = process.logProbabilities(
      of: batch.transitions,
      denoiser: encoded.denoiser(
        model.unet, prompts: batch.conditions, guidance: Guidance(scale: 5)))
    return LogProbabilityReduction.mean(densities).reshaped(
      to: [Self.imageCount, Self.stepCount])
  }

  @Test func logProbabilitiesAgree() throws {
    let old = try logProbabilities()
    let expectedOld = try goldens.tensor(named: "log-probabilities")
    #expect(maxDifference(old, expectedOld) <= 1e-4)
    movePolicy()
    let new = try logProbabilities()
    #expect(
      maxDifference(new, try goldens.tensor(named: "policy-log-probabilities")) <= 1e-4)
    let ratios = try goldens.tensor(named: "ratios")
    #expect(maxDifference((new - old).exp(), ratios) <= 1e-4)
    print(
      "greatest difference of ratios \(maxDifference((new - old).exp(), ratios)), which move by "
        + "up to \(maxDifference(ratios, .ones(ratios.shape)))")
  }

  @Test func divergencesAgree() throws {
    movePolicy()
    let batch = try minibatch()
    let sums = update().divergences(batch.transitions, prompts: batch.conditions)
    let means = (sums / Float(8 * 8 * 4)).reshaped(to: [Self.imageCount, Self.stepCount])
    #expect(relativeError(means, try goldens.tensor(named: "divergences")) <= 1e-4)
  }

  @Test(arguments: [Float(0), 3])
  func lossesAndGradientsAgree(klCoefficient: Float) throws {
    movePolicy()
    let batch = try minibatch()
    let result = try update(klCoefficient: klCoefficient).gradients(batch)
    let losses = try goldens.tensor(named: "loss").elements
    let loss = result.sums["policyLoss"] + Double(klCoefficient) * result.sums["klPenalty"]
    #expect(abs(loss - Double(losses[klCoefficient == 0 ? 0 : 1])) <= 1e-4)
    #expect(result.sums["samples"] == 12 && result.sums["clipped"] == 6)
    let prefix = klCoefficient == 0 ? "gradient" : "gradient-with-divergence"
    var maximum: Float = 0
    var norm: Double = 0
    for (name, parameter) in model.unet.parameters {
      let expected = try goldens.tensor(named: "\(prefix)/\(name)")
      norm += expected.squaredNorm()
      let actual = try #require(result.gradients[parameter.leaf], "\(name)")
      maximum = max(maximum, maxDifference(actual, expected))
    }
    #expect(!(maximum > 1e-4 * Float(norm.squareRoot())))
    #expect(norm > 0)
    print("greatest difference of gradients \(maximum), norm \(norm.squareRoot())")
  }

  @Test func shardsDoNotMatter() throws {
    movePolicy()
    let batch = try minibatch()
    let results = try [1, 12].map {
      try update(klCoefficient: 3, shardSize: $0).gradients(batch)
    }
    #expect(abs(results[0].sums["policyLoss"] - results[1].sums["policyLoss"]) <= 1e-5)
    for (name, parameter) in model.unet.parameters {
      let gradients = results.compactMap { $0.gradients[parameter.leaf] }
      #expect(gradients.count == 2 && relativeError(gradients[0], gradients[1]) <= 1e-3, "\(name)")
    }
  }

  @Test func gradientsOfLowRankChangesAgree() throws {
    var random = RandomStream(seed: 1)
    let adapters = LowRankAdapters(model.unet, rank: 2, alpha: 4, random: &random)
    // In the order of weights, A before B as their names have it.
    var draws = TorchRandom(seed: 6)
    for (name, parameter) in adapters.parameters.sorted(by: { $0.name < $1.name }) {
      parameter.value = draws.normal(parameter.value.shape) * (name.contains("lora_B") ? 0.01 : 1)
    }
    adapters.merge()
    let batch = try minibatch()
    let result = try update().gradients(batch)
    let gradients = adapters.gradients(ofMerged: result.gradients)
    #expect(adapters.parameters.count == 2 * 4 * 2 * 4)
    for (name, parameter) in adapters.parameters {
      let expected = try goldens.tensor(named: "lora/\(name)")
      let actual = try #require(gradients[parameter.leaf], "\(name)")
      #expect(relativeError(actual, expected) <= 1e-3, "\(name)")
    }
    // Nothing else of the U-Net learns.
    let trained = model.unet.parameters.filter { result.gradients[$0.parameter.leaf] != nil }
    #expect(trained.count == adapters.parameters.count / 2)
  }
}

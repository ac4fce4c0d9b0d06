import Configuration
import Environments
import Foundation
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Push-T from pixels from end to end: images drawn from recorded states, a pretraining, episodes, and
/// an iteration of DPPO.
@Suite struct PixelPushTTests {
  private func policy(_ kind: String) -> PolicyConfiguration {
    var policy = PolicyConfiguration()
    policy.environment.name = "push-t"
    policy.environment.parameters = [
      "observation": "pixels", "imageSize": "24", "timeLimit": "12",
    ]
    policy.observationSteps = 2
    policy.network.hiddenSizes = [16, 16, 16]
    policy.denoising.stepCount = 3
    policy.encoder.kind = kind
    policy.encoder.cropSize = kind == "vit" ? 0 : 20
    policy.encoder.shift = kind == "vit" ? 2 : 0
    policy.encoder.vit.width = 8
    policy.encoder.vit.headCount = 2
    policy.encoder.vit.featureCount = 8
    policy.encoder.resnet18.width = 16
    policy.encoder.resnet18.keypointCount = 4
    return policy
  }

  /// The settings that `docs/cameras.md` shows are those of a pretraining.
  @Test func documentedSettingsAreValid() throws {
    struct Shown: Settings {
      var policy = PolicyConfiguration()
      var demonstrations = DemonstrationConfiguration()
      var training = PretrainingConfiguration()
    }
    let page = try String(contentsOfFile: Repository.path("docs/cameras.md"), encoding: .utf8)
    let parts = page.components(separatedBy: "```")
    let yaml = try #require(parts.first { $0.hasPrefix("yaml\n") }).dropFirst("yaml\n".count)
    let shown = try Shown.decode(yaml: String(yaml))
    #expect(shown.policy.encoder.kind == "vit" && shown.demonstrations.paddingAfter == 7)
    let environment = try EnvironmentRegistry.standard.make(
      shown.policy.environment.name, shown.policy.environment.parameters)
    var random = RandomStream(seed: 1)
    let network = try shown.policy.makeDenoiser(
      ObservationLayout(stepCount: 1, stateSize: 2, cameras: environment.cameras), actionSize: 2,
      random: &random)
    // As the reference has them: ViT and SpatialEmb with two numbers of state.
    #expect(network.encoder.parameters.elementCount == 386_304 + 32_512)
  }

  /// Two short episodes of agents that follow a line.
  private func demonstrations(in folder: TemporaryFolder) throws -> DemonstrationConfiguration {
    var demonstrations = Demonstrations(stateSize: 5, actionSize: 2)
    for episode in 0..<2 {
      for step in 0..<6 {
        let place = Float(100 + 30 * step + 50 * episode)
        demonstrations.states += [place, 200, 300, place, 0.5]
        demonstrations.actions += [place + 30, 200 + Float(step)]
        demonstrations.terminals.append(false)
      }
      demonstrations.lengths.append(6)
    }
    try demonstrations.write(to: folder.file("demonstrations.npz"))
    var settings = DemonstrationConfiguration()
    settings.path = folder.file("demonstrations.npz")
    settings.observationSource = .environment
    return settings
  }

  @Test(arguments: ["vit", "resnet18"]) func learnsAndActs(_ kind: String) throws {
    let folder = try TemporaryFolder()
    var configuration = PretrainingConfiguration()
    configuration.batchSize = 4
    configuration.batchCount = 2
    let pretraining = try Pretraining(
      policy: policy(kind), configuration: configuration,
      demonstrations: try demonstrations(in: folder), seed: 3)
    let camera = Camera(name: "image", width: 24, height: 24)
    #expect(pretraining.dataset.cameras == [camera] && pretraining.dataset.stateSize == 2)
    // What is learned from is what the environment shows in that state.
    let environment = try EnvironmentRegistry.standard.make(
      "push-t", ["observation": "pixels", "imageSize": "24"])
    try environment.reset(.state([130, 200, 300, 130, 0.5]))
    let images = try #require(pretraining.dataset.batch([1]).observations.images["image"])
    #expect(images.frames[1] == (try environment.observeImages()[0][0]))
    for _ in 0..<2 { _ = try pretraining.step() }
    try pretraining.checkpoint().write(to: folder.file("policy.safetensors"))

    let checkpoint = try PolicyCheckpoint(path: folder.file("policy.safetensors"))
    let played = try PolicyEvaluation(
      PolicyEnvironment(
        checkpoint.configuration, normalization: checkpoint.normalization,
        cameras: checkpoint.cameras), seed: 1, sideBySide: 2
    ).play(try checkpoint.makePolicy(), episodeCount: 2)
    #expect(played.allSatisfy { $0.stepCount == 12 })

    var tuning = DPPOConfiguration()
    tuning.environments = 2
    tuning.rolloutSteps = 3
    tuning.fineTunedSteps = 2
    tuning.epochs = 1
    tuning.augmentsImages = true
    tuning.critic.hiddenSizes = [8, 8, 8]
    let training = try PolicyAlgorithmRegistry.standard.trainer(
      PolicyTrainingStart(checkpoint, configuration: tuning, seed: 3))
    let metrics = try training.iterate()
    let ratio = try #require(metrics["ratio"])
    #expect(abs(ratio - 1) < 1e-3)
  }
}

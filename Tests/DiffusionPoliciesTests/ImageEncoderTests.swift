import Configuration
import Environments
import Media
import NeuralNetworks
import Tensors
import Testing

@testable import DiffusionPolicies

/// A policy that sees nothing but images: an encoder of them is one file and one line in a
/// registry.
private final class PixelEncoder: ObservationEncoder {
  let encodingSize = 8
  private let layer: Linear

  init(_ layout: ObservationLayout, random: inout RandomStream) {
    let pixels = layout.cameras.reduce(0) { $0 + $1.shape.reduce(1, *) }
    layer = Linear(
      inputSize: layout.stepCount * pixels, outputSize: encodingSize, random: &random)
  }

  func callAsFunction(_ observations: Observations) -> Tensor {
    let images = observations.images.keys.sorted().compactMap { observations.images[$0] }
    return layer(
      .concatenated(images.map { $0.scaled().flattened(from: 1) }, along: 1), activation: .tanh)
  }

  func collect(into parameters: inout NamedParameters) { parameters.add("layer", layer) }
}

/// The target's line, seen by a camera only: its state is shown as 0.
private final class FilmedTarget: EnvironmentWrapper {
  let base: any Environment = TargetEnvironment()
  let cameras = [Camera(name: "above", width: 24, height: 1)]

  func observe(into observation: UnsafeMutableBufferPointer<Float>) { observation[0] = 0 }

  func observeImages() throws -> [[Image]] {
    let column = min(max(Int(6 * (2 + base.observation[0])), 0), 23)
    return [
      [
        Image(width: 24, height: 1, channelCount: 3) { samples in
          samples.update(repeating: 0)
          for channel in 0..<3 { samples[3 * column + channel] = 255 }
        }
      ]
    ]
  }
}

@Suite struct ImageEncoderTests {
  private let environments: EnvironmentRegistry = {
    var registry = EnvironmentRegistry()
    registry.register(
      .init(name: "recorded-target", summary: "", timeLimit: 12) { _ in FilmedTarget() })
    return registry
  }()

  private let encoders: ObservationEncoderRegistry = {
    var registry = ObservationEncoderRegistry.standard
    registry.register("pixels") { PixelEncoder($1, random: &$2) }
    return registry
  }()

  private func start(encoder: String = "pixels") throws -> PolicyCheckpoint {
    let policy = TargetTraining.policy {
      $0.environment.name = "recorded-target"
      $0.encoder.kind = encoder
    }
    let cameras = FilmedTarget().cameras
    var random = RandomStream(seed: 5)
    let network = try policy.makeDenoiser(
      ObservationLayout(stepCount: 2, stateSize: 1, cameras: cameras), actionSize: 1,
      encoders: encoders, random: &random)
    #expect(network.parameters.values["encoder.layer.weight"]?.shape == [8, 144])
    return PolicyCheckpoint(
      configuration: policy, normalization: TargetTraining.normalization,
      weights: network.parameters.values.prefixed("network"), cameras: cameras)
  }

  /// Rollout, critic, advantages and updates: bytes all the way to the encoders, which learn.
  @Test func anIterationTrainsTheEncoders() throws {
    var configuration = DPPOConfiguration()
    configuration.environments = 4
    configuration.rolloutSteps = 6
    configuration.fineTunedSteps = 3
    configuration.epochs = 1
    configuration.batchSize = 24
    configuration.critic.hiddenSizes = [16, 16, 16]
    let training = try PolicyAlgorithmRegistry.standard.trainer(
      PolicyTrainingStart(
        try start(), configuration: configuration, seed: 3, registry: environments,
        encoders: encoders))
    let before = training.checkpoint()
    _ = try training.iterate()
    let after = training.checkpoint()
    for name in ["actor_ft.encoder.layer.weight", "critic.encoder.layer.weight"] {
      let (first, last) = (
        try #require(before.weights[name]), try #require(after.weights[name])
      )
      #expect(first.elements != last.elements, "\(name) has not moved")
    }
    // A file keeps what is needed to act on images.
    let file = try PolicyCheckpoint(
      path: "", weights: after.weights, metadata: try after.metadata())
    #expect(file.cameras == FilmedTarget().cameras && file.configuration.encoder.kind == "pixels")
    let environment = try PolicyEnvironment(
      file.configuration, normalization: file.normalization, cameras: file.cameras,
      registry: environments)
    let results = try PolicyEvaluation(environment, seed: 1, sideBySide: 2)
      .play(try file.makePolicy(encoders: encoders), episodeCount: 3)
    #expect(results.allSatisfy { $0.stepCount > 0 })
  }

  @Test func whatDoesNotFitIsRefused() throws {
    let checkpoint = try start()
    let unknown = #expect(throws: ConfigurationError.self) { try checkpoint.makePolicy() }
    #expect(unknown.map { "\($0)" }?.contains("pixels") == true)
    var blind = checkpoint
    blind.configuration.encoder.kind = "flatten"
    let flat = #expect(throws: ConfigurationError.self) { try blind.makePolicy(encoders: encoders) }
    #expect(flat.map { "\($0)" }?.contains("above") == true)
    let cameras = #expect(throws: PolicyError.self) {
      try PolicyEnvironment(
        checkpoint.configuration, normalization: checkpoint.normalization, registry: environments)
    }
    let refusal = cameras.map { "\($0)" } ?? "none"
    #expect(
      refusal.contains("sees no cameras, but ")
        && refusal.contains("has cameras 'above' of 24x1x3"), "\(refusal)")
  }

  /// Whoever registers a name again means the new encoder.
  @Test func aNameHasTheEncoderThatCameLast() throws {
    var registry = ObservationEncoderRegistry.standard
    registry.register("flatten") { PixelEncoder($1, random: &$2) }
    #expect(registry.names == ["vit", "resnet18", "flatten"])
    let layout = ObservationLayout(stepCount: 1, stateSize: 1, cameras: FilmedTarget().cameras)
    var random = RandomStream(seed: 1)
    let encoder = try registry.make(EncoderConfiguration(), layout, random: &random)
    #expect(encoder is PixelEncoder)
  }
}

import Configuration
import Diffusion
import Environments
import Foundation
import Media
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// The target's line seen from above, 12 x 16 pixels; its state is shown as 0.
private final class SeenTarget: EnvironmentWrapper {
  let base: any Environment = TargetEnvironment()
  let cameras = [Camera(name: "above", width: 16, height: 12)]

  func observe(into observation: UnsafeMutableBufferPointer<Float>) { observation[0] = 0 }

  func observeImages() throws -> [[Image]] {
    let column = min(max(Int(4 * (2 + base.observation[0])), 0), 15)
    let image = Image(width: 16, height: 12, channelCount: 3) { samples in
      samples.update(repeating: 0)
      for row in 0..<12 { samples[3 * (16 * row + column) + row % 3] = 255 }
    }
    return [[image]]
  }
}

/// Counts the rows that an encoder reads.
///
/// Unchecked sendable because one thread reads at a time.
private final class CountingEncoder: ObservationEncoder, @unchecked Sendable {
  private let base: any ObservationEncoder
  private(set) var rows = 0

  init(_ base: any ObservationEncoder) { self.base = base }

  var encodingSize: Int { base.encodingSize }

  func callAsFunction(_ observations: Observations) -> Tensor {
    rows += observations.count
    return base(observations)
  }

  func collect(into parameters: inout NamedParameters) { base.collect(into: &parameters) }
}

/// DPPO of policies that see images: what is kept of them, and what is learned.
@Suite struct VisionFineTuningTests {
  private let environments: EnvironmentRegistry = {
    var registry = EnvironmentRegistry()
    registry.register(
      .init(name: "seen-target", summary: "", timeLimit: 12) { _ in SeenTarget() })
    return registry
  }()

  private func start(
    _ change: (inout PolicyConfiguration) -> Void = { _ in }
  ) throws -> PolicyCheckpoint {
    let policy = TargetTraining.policy {
      $0.environment.name = "seen-target"
      $0.encoder.kind = "vit"
      $0.encoder.vit.width = 8
      $0.encoder.vit.headCount = 2
      $0.encoder.vit.featureCount = 8
      $0.encoder.vit.patchEmbedding = .embed1
      $0.encoder.shift = 2
      change(&$0)
    }
    var random = RandomStream(seed: 5)
    let cameras = SeenTarget().cameras
    let network = try policy.makeDenoiser(
      ObservationLayout(stepCount: 2, stateSize: 1, cameras: cameras), actionSize: 1,
      random: &random)
    return PolicyCheckpoint(
      configuration: policy, normalization: TargetTraining.normalization,
      weights: network.parameters.values.prefixed("network"), cameras: cameras)
  }

  private var tuning: DPPOConfiguration {
    var configuration = DPPOConfiguration()
    configuration.environments = 4
    configuration.rolloutSteps = 6
    configuration.fineTunedSteps = 3
    configuration.epochs = 1
    configuration.batchSize = 1000
    configuration.critic.hiddenSizes = [16, 16, 16]
    return configuration
  }

  private func training(
    _ checkpoint: PolicyCheckpoint, _ change: (inout DPPOConfiguration) -> Void = { _ in }
  ) throws -> any PolicyTrainer {
    var configuration = tuning
    change(&configuration)
    return try PolicyAlgorithmRegistry.standard.trainer(
      PolicyTrainingStart(
        checkpoint, configuration: configuration, seed: 3, registry: environments))
  }

  /// Which tensors of a policy an iteration moves, by the part of their names behind the network's.
  private func moved(
    _ checkpoint: PolicyCheckpoint, _ change: (inout DPPOConfiguration) -> Void = { _ in }
  ) throws -> Set<String> {
    let training = try training(checkpoint, change)
    let before = training.checkpoint().weights
    _ = try training.iterate()
    let after = training.checkpoint().weights
    return Set(
      after.filter { before[$0.key]?.elements != $0.value.elements }.map { name, _ in
        let parts = name.split(separator: ".")
        return parts[1] == "encoder" ? "\(parts[0]).encoder" : String(parts[0])
      })
  }

  @Test func encodersLearnUnlessTheyAreFrozen() throws {
    #expect(
      try moved(start()) == ["actor_ft", "actor_ft.encoder", "critic", "critic.encoder"])
    let frozen = try start { $0.encoder.trained = false }
    #expect(try moved(frozen) == ["actor_ft", "critic", "critic.encoder"])
    let shared = try moved(frozen) { $0.critic.sharesEncoder = true }
    #expect(shared == ["actor_ft", "critic"])
    let weights = try training(frozen) { $0.critic.sharesEncoder = true }.checkpoint().weights
    #expect(!weights.keys.contains { $0.hasPrefix("critic.encoder") })
  }

  /// Where nobody reads pixels again, what was made of them is kept in their place.
  @Test func rolloutsKeepWhatIsReadAgain() throws {
    for (trained, haveOtherReaders) in [(true, true), (false, true), (false, false)] {
      let (policy, rollout) = try rollout(
        trained: trained, RolloutImages(haveOtherReaders: haveOtherReaders))
      #expect(rollout.observations.images.isEmpty == !(trained || haveOtherReaders))
      #expect(rollout.finalObservations.images.isEmpty == !(trained || haveOtherReaders))
      #expect((rollout.observations.encoding == nil) == trained)
      guard !trained, haveOtherReaders else { continue }
      // What is kept is what the encoder makes of the pixels.
      let seen = Observations(
        rollout.finalObservations.state, images: rollout.finalObservations.images)
      #expect(
        policy.frozenEncoder?(seen).elements == rollout.finalObservations.encoding?.elements)
    }
  }

  private func rollout(
    trained: Bool = true, _ images: RolloutImages,
    _ change: (inout PolicyConfiguration) -> Void = { _ in }
  ) throws -> (DiffusionPolicy, Rollout) {
    let checkpoint = try start {
      $0.encoder.trained = trained
      change(&$0)
    }
    let policy = try checkpoint.makeDiffusionPolicy(fineTuning: 3)
    let collector = try RolloutCollector(
      try PolicyEnvironment(
        checkpoint.configuration, normalization: checkpoint.normalization,
        cameras: checkpoint.cameras, registry: environments),
      count: 4, seed: 3, images: images)
    var metrics = Metrics([:])
    return (policy, try collector.collect(policy, rolloutSteps: 6, iteration: 0, &metrics))
  }

  /// A frozen encoder's features give the decisions and the log-probabilities of its pixels.
  @Test func encodedObservationsAreAsGoodAsPixels() throws {
    let pixels = try rollout(trained: true, RolloutImages()).1
    let features = try rollout(trained: false, RolloutImages(haveOtherReaders: false)).1
    #expect(pixels.states.elements == features.states.elements)
    #expect(pixels.logProbabilities == features.logProbabilities)
    #expect(pixels.rewards == features.rewards)
  }

  /// The log-probability that is kept is that of the action that was drawn: at the first minibatch
  /// the policy has not moved, and all ratios are 1. That holds for shifted images only if the
  /// images that are kept are those that the policy saw.
  @Test(arguments: [0, 8]) func keptLogProbabilitiesAreOfTheImagesSeen(_ cropSize: Int) throws {
    let encoder = try start { $0.encoder.cropSize = cropSize }.configuration.encoder
    let plain = try rollout(RolloutImages()) { $0.encoder = encoder }.1
    let (policy, varied) = try rollout(RolloutImages(augmentation: encoder.augmentation)) {
      $0.encoder = encoder
    }
    #expect(plain.observations.slice(0..<4).images["above"]?.camera.height == 12)
    let images = try #require(varied.observations.images["above"])
    #expect(images.camera.height == (cropSize == 0 ? 12 : cropSize))
    #expect(varied.states.elements != plain.states.elements)
    // Images after the last decisions are seen as in evaluation.
    #expect(varied.finalObservations.images["above"]?.camera.height == 12)
    let pairs = Array(0..<3 * 24)
    let transitions = RecordedTransitions(
      stackedStates: varied.states, firstIndex: policy.firstTransition, transitions: pairs[...])
    let again = policy.logProbabilities(
      of: transitions, observations: varied.observations.gather(transitions.sampleRows))
    for (kept, found) in zip(varied.logProbabilities, again.elements) {
      #expect(abs(kept - found) < 1e-4)
    }
  }

  @Test func settingsReachTheRollout() throws {
    func loss(_ change: (inout DPPOConfiguration) -> Void) throws -> (ratio: Double, kl: Double) {
      let metrics = try training(start(), change).iterate()
      return (try #require(metrics["ratio"]), try #require(metrics["valueLoss"]))
    }
    let (plain, varied) = (try loss { _ in }, try loss { $0.augmentsImages = true })
    #expect(abs(plain.ratio - 1) < 1e-4 && abs(varied.ratio - 1) < 1e-4)
    #expect(plain.kl != varied.kl)
  }

  @Test func criticsShareFrozenEncodersOnly() throws {
    let error = #expect(throws: ConfigurationError.self) {
      try training(start()) { $0.critic.sharesEncoder = true }
    }
    #expect(error?.key == "critic.sharesEncoder")
    // An encoder that was fine-tuned is another one than that of the first denoising steps.
    let first = try training(start())
    _ = try first.iterate()
    var checkpoint = first.checkpoint()
    checkpoint.configuration.encoder.trained = false
    #expect(checkpoint.fineTunedSteps == 3)
    #expect(try checkpoint.makeDiffusionPolicy().frozenEncoder == nil)
    #expect(throws: ConfigurationError.self) {
      try training(checkpoint) { $0.critic.sharesEncoder = true }
    }
    // It is frozen all the same.
    #expect(try moved(checkpoint) == ["actor_ft", "critic", "critic.encoder"])
  }

  /// Images, or what was made of them, come from all ranks: two of them train as one does, and as a
  /// run that was resumed.
  @Test(arguments: [true, false]) func ranksTrainAsOne(_ trained: Bool) throws {
    let checkpoint = try start { $0.encoder.trained = trained }
    var configuration = tuning
    configuration.critic.sharesEncoder = !trained
    configuration.augmentsImages = true
    let run: @Sendable (any Communicator) throws -> [String: [UInt32]] = {
      [configuration, environments] communicator in
      func trainer(_ state: TrainingState?) throws -> any PolicyTrainer {
        try PolicyAlgorithmRegistry.standard.trainer(
          PolicyTrainingStart(
            checkpoint, configuration: configuration, seed: 3, registry: environments,
            communicator: communicator, state: state))
      }
      let first = try trainer(nil)
      _ = try first.iterate()
      let second = try trainer(first.trainingState())
      _ = try second.iterate()
      return second.checkpoint().weights.mapValues { $0.elements.map(\.bitPattern) }
    }
    let alone = try run(SingleProcess())
    for rank in try ThreadRank.run(processCount: 2, run) { #expect(rank == alone) }
    // Without the interruption.
    let whole = try training(checkpoint) { $0 = configuration }
    for _ in 0..<2 { _ = try whole.iterate() }
    #expect(whole.checkpoint().weights.mapValues { $0.elements.map(\.bitPattern) } == alone)
  }

  /// An image is read once for all denoising steps of its decision, and gives the gradients that it
  /// gives when it is read for each.
  @Test func updatesReadADecisionOnce() throws {
    let checkpoint = try start()
    let (policy, rollout) = try rollout(RolloutImages())
    let counted = CountingEncoder(policy.fineTuned.encoder)
    // Decisions 2, 0, 2, 2, 5 at several steps.
    let pairs = [7, 1, 6, 8, 15]
    let transitions = RecordedTransitions(
      stackedStates: rollout.states, firstIndex: policy.firstTransition, transitions: pairs[...])
    let observations = rollout.observations.gather(transitions.sampleRows)
    let seen = counted.encodingEachOnce(observations, decisions: transitions.sampleRows)
    #expect(counted.rows == 3)
    #expect(seen.encoding?.elements == policy.fineTuned.encoder(observations).elements)
    var random = RandomStream(seed: 2)
    let upstream = random.normal([5, counted.encodingSize])
    func gradients(_ encode: () -> Tensor) -> [String: [Float]] {
      let found = valueAndGradients { (encode() * upstream).sum() }.gradients
      var result: [String: [Float]] = [:]
      for (name, parameter) in policy.fineTuned.encoder.parameters {
        result[name] = found[parameter.leaf]?.elements ?? []
      }
      return result
    }
    let whole = gradients { policy.fineTuned.encoder(observations) }
    let once = gradients {
      counted.encodingEachOnce(observations, decisions: transitions.sampleRows).encoding
        ?? Tensor(0)
    }
    for (name, expected) in whole {
      let found = try #require(once[name])
      #expect(found.count == expected.count && !expected.isEmpty, "\(name)")
      let magnitude = expected.map { abs($0) }.max() ?? 0
      for (a, b) in zip(found, expected) { #expect(abs(a - b) <= 1e-5 * magnitude + 1e-6) }
    }
    // Pairs of a decision come together in a batch.
    let critic = try checkpoint.configuration.makeCritic(
      tuning.critic, checkpoint.layout, random: &random)
    let loss = DPPOLoss(
      policy: policy, critic: critic, configuration: tuning, communicator: SingleProcess())
    let batch = loss.batch(
      rollout, advantages: Array(repeating: 1, count: rollout.count), pairs[...])
    #expect(batch.transitions.sampleRows == [0, 2, 2, 2, 5])
    #expect(batch.transitions.positions == [1, 0, 1, 2, 0])
    let old = [1, 6, 7, 8, 15].map { rollout.logProbabilities[$0] }
    #expect(batch.oldLogProbabilities.elements == old)
  }

  /// Files from before encoders had settings tell the kind alone.
  @Test func olderFilesNameTheEncoderAlone() throws {
    let checkpoint = try TargetTraining.start()
    let metadata = try checkpoint.metadata().mapValues { text in
      let begin = text.range(of: "\"encoder\":{")!.lowerBound
      let end = text.range(of: ",\"environment\"")!.lowerBound
      return text.replacingCharacters(in: begin..<end, with: "\"encoder\":\"flatten\"")
    }
    let read = try PolicyCheckpoint(path: "", weights: checkpoint.weights, metadata: metadata)
    #expect(read.configuration == checkpoint.configuration)
  }
}

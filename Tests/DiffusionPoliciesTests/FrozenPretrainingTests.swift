import Environments
import NeuralNetworks
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Pretraining behind an encoder that does not learn: images are read once.
@Suite struct FrozenPretrainingTests {
  /// The states, then the mean of each row's image through a layer; counts the rows that it reads.
  private final class CountingEncoder: ObservationEncoder {
    let encodingSize: Int
    private let layer: Linear
    private let counter: Counter

    final class Counter: Sendable {
      private let rows = Mutex(0)
      var count: Int { rows.withLock { $0 } }
      func add(_ more: Int) { rows.withLock { $0 += more } }
    }

    init(_ layout: ObservationLayout, _ counter: Counter, random: inout RandomStream) {
      encodingSize = layout.stepCount * layout.stateSize + 3
      layer = Linear(inputSize: 1, outputSize: 3, random: &random)
      self.counter = counter
    }

    func callAsFunction(_ observations: Observations) -> Tensor {
      counter.add(observations.count)
      let means = observations.images.values.map { $0.scaled().flattened(from: 1).mean(along: 1) }
      let image = layer(means[0].expandingDimension(at: 1))
      return .concatenated([observations.state.flattened(from: 1), image], along: 1)
    }

    func collect(into parameters: inout NamedParameters) { parameters.add("layer", layer) }
  }

  private func demonstrations(in folder: TemporaryFolder) throws -> DemonstrationConfiguration {
    var demonstrations = Demonstrations(stateSize: 1, actionSize: 1)
    var random = RandomStream(seed: 1)
    demonstrations.actions = random.uniform([40, 1]).elements
    demonstrations.states = (0..<40).map { Float($0 % 2) }
    demonstrations.terminals = Array(repeating: false, count: 40)
    demonstrations.lengths = [12, 8, 20]
    let bytes = (0..<40 * 768).map { (place: Int) -> UInt8 in
      UInt8((place * 13 + place / 768 * 57) % 256)
    }
    let camera = Camera(name: "images", width: 16, height: 16)
    demonstrations.images = [CameraImages(camera, stepCount: 1, bytes: bytes)]
    try demonstrations.write(to: folder.file("demonstrations.npz"))
    var settings = DemonstrationConfiguration()
    settings.path = folder.file("demonstrations.npz")
    settings.images = ["images"]
    settings.validationFraction = 0.3
    return settings
  }

  private func policy(_ kind: String) -> PolicyConfiguration {
    var policy = PolicyConfiguration()
    policy.environment.name = "none"
    policy.observationSteps = 2
    policy.horizonSteps = 4
    policy.actionSteps = 2
    policy.network.hiddenSizes = [16, 16, 16]
    policy.denoising.stepCount = 4
    policy.encoder.kind = kind
    policy.encoder.trained = false
    policy.encoder.shift = 0
    policy.encoder.vit.width = 8
    policy.encoder.vit.headCount = 2
    policy.encoder.vit.featureCount = 8
    policy.encoder.vit.patchEmbedding = .embed1
    policy.encoder.resnet18.width = 16
    policy.encoder.resnet18.keypointCount = 4
    return policy
  }

  private var configuration: PretrainingConfiguration {
    var configuration = PretrainingConfiguration()
    configuration.batchSize = 8
    configuration.batchCount = 30
    configuration.emaStart = 0
    configuration.emaInterval = 1
    return configuration
  }

  /// To the bit: losses, weights, averages and validation losses.
  @Test(arguments: ["vit", "resnet18"])
  func keptEncodingsGiveTheSameNumbers(kind: String) throws {
    let folder = try TemporaryFolder()
    let settings = try demonstrations(in: folder)
    func training(keepsEncodings: Bool) throws -> Pretraining {
      try Pretraining(
        policy: policy(kind), configuration: configuration, demonstrations: settings, seed: 3,
        keepsEncodings: keepsEncodings)
    }
    let (keeping, reading) = (
      try training(keepsEncodings: true), try training(keepsEncodings: false)
    )
    #expect(keeping.dataset.count > 8 && keeping.validation != nil)
    let start = keeping.checkpoint().weights
    for _ in 0..<9 {
      #expect(try keeping.step().loss == reading.step().loss)
      #expect(try keeping.validationLoss() == reading.validationLoss())
    }
    let (kept, read) = (keeping.checkpoint().weights, reading.checkpoint().weights)
    #expect(kept.keys.sorted() == read.keys.sorted())
    for (name, weight) in kept { #expect(weight.elements == read[name]?.elements, "\(name)") }
    #expect(kept.contains { $0.value.elements != start[$0.key]?.elements })
  }

  /// A run that is resumed has read nothing yet, and goes on the same.
  @Test func resumedTrainingsGoOnTheSame() throws {
    let folder = try TemporaryFolder()
    let settings = try demonstrations(in: folder)
    func training() throws -> Pretraining {
      try Pretraining(
        policy: policy("vit"), configuration: configuration, demonstrations: settings, seed: 3)
    }
    let (whole, first, second) = (try training(), try training(), try training())
    for _ in 0..<6 { _ = try whole.step() }
    for _ in 0..<4 { _ = try first.step() }
    _ = try second.step()
    try second.restore(first.trainingState())
    for _ in 0..<2 { _ = try second.step() }
    let (expected, found) = (whole.checkpoint().weights, second.checkpoint().weights)
    for (name, weight) in expected { #expect(weight.elements == found[name]?.elements, "\(name)") }
  }

  @Test func everyImageIsReadOnce() throws {
    let folder = try TemporaryFolder()
    let settings = try demonstrations(in: folder)
    func rowsRead(_ change: (inout PolicyConfiguration) -> Void) throws -> (Int, Pretraining) {
      let counter = CountingEncoder.Counter()
      var encoders = ObservationEncoderRegistry.standard
      encoders.register("counting") { CountingEncoder($1, counter, random: &$2) }
      var policy = policy("counting")
      change(&policy)
      let training = try Pretraining(
        policy: policy, configuration: configuration, demonstrations: settings, seed: 3,
        encoders: encoders)
      for _ in 0..<12 {
        _ = try training.step()
        _ = try training.validationLoss()
      }
      return (counter.count, training)
    }
    let (count, frozen) = try rowsRead { _ in }
    let chunks = frozen.dataset.count
    let validationChunks = try #require(frozen.validation).count
    // Several epochs.
    #expect(chunks < 12 * 8 && count == chunks + validationChunks)
    #expect(!frozen.notes.contains { $0.contains("does not learn") })
    // Those of validation are never varied.
    let (shifted, varied) = try rowsRead { $0.encoder.shift = 2 }
    #expect(shifted == varied.batchIndex * 8 - short(varied) + validationChunks)
    #expect(
      varied.notes.contains(
        "the encoder does not learn, but policy.encoder.shift=2 changes every image anew, so that "
          + "it is encoded in every batch; with policy.encoder.shift=0 each is encoded once"))
    let (learned, _) = try rowsRead { $0.encoder.trained = true }
    #expect(learned == 12 * 8 - short(frozen) + 12 * validationChunks)
  }

  /// What the last batch of each epoch lacks, in 12 batches of 8.
  private func short(_ training: Pretraining) -> Int {
    let count = training.dataset.count
    let perEpoch = (count + 7) / 8
    return (12 / perEpoch) * (perEpoch * 8 - count)
  }
}

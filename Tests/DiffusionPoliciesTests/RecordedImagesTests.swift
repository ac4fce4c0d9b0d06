import Configuration
import Environments
import Files
import Media
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// Demonstrations with images: files of robomimic and DPPO, chunks, and a pretraining on them.
@Suite struct RecordedImagesTests {
  /// The sample that `generate_images.py` wrote.
  private func sample(_ step: Int, _ row: Int, _ column: Int, _ channel: Int, camera: Int) -> UInt8
  {
    let sum = 16 * step + 7 * row + 3 * column
    return UInt8((sum + 40 * channel + 100 * camera) % 256)
  }

  private func expected(_ step: Int, camera: Int) -> [UInt8] {
    var samples: [UInt8] = []
    for row in 0..<3 {
      for column in 0..<4 {
        for channel in 0..<3 { samples.append(sample(step, row, column, channel, camera: camera)) }
      }
    }
    return samples
  }

  @Test func readsRobomimicsImages() throws {
    let names = ["agentview_image", "robot0_eye_in_hand_image"]
    let read = try Demonstrations(
      contentsOf: DemonstrationGoldens.path("images.hdf5"), images: names)
    #expect(read.cameras == names.map { Camera(name: $0, width: 4, height: 3) })
    #expect(read.lengths == [3, 2])
    for step in 0..<5 {
      #expect(read.images[0].frames[step].samples == expected(step, camera: 1))
      #expect(read.images[1].frames[step].samples == expected(step, camera: 0))
    }
    // Who sees objects is not told where they are.
    #expect(read.stateSize == 2)
    #expect(read.notes.contains { $0.hasPrefix("1 observation is not read: object;") })
    let blind = try Demonstrations(contentsOf: DemonstrationGoldens.path("images.hdf5"))
    #expect(blind.images.isEmpty && blind.stateSize == 4)
    let second = read.episodes([1])
    #expect(second.images[0].frames.map(\.samples) == [3, 4].map { expected($0, camera: 1) })
  }

  @Test func readsAndWritesDPPOsImages() throws {
    let path = DemonstrationGoldens.path("images.npz")
    let read = try Demonstrations(contentsOf: path, images: ["images"])
    #expect(read.cameras.map(\.name) == ["images 1", "images 2"])
    for step in 0..<5 {
      for camera in 0..<2 {
        #expect(read.images[camera].frames[step].samples == expected(step, camera: camera))
      }
    }
    let written = try DemonstrationGoldens.temporary("written.npz")
    try read.write(to: written)
    let file = try NPZFile(path: written).storedTensor(named: "images")
    #expect(file.shape == [5, 6, 3, 4] && file.elementType == .uint8)
    let again = try Demonstrations(contentsOf: written, images: ["images"])
    #expect(again.images.map(\.bytes) == read.images.map(\.bytes))
    // Images that nobody asked for are named.
    let blind = try Demonstrations(contentsOf: path)
    #expect(blind.notes.contains { $0.contains("images") } && blind.images.isEmpty)
  }

  @Test func whatAreNoImagesIsRefused() throws {
    let path = DemonstrationGoldens.path("images.hdf5")
    let shape = #expect(throws: DemonstrationError.self) {
      try Demonstrations(contentsOf: path, images: ["robot0_eef_pos"])
    }
    #expect(shape.map { "\($0)" }?.contains("uint8 [3, height, width") == true)
    let missing = #expect(throws: FileError.self) {
      try Demonstrations(contentsOf: path, images: ["sideview_image"])
    }
    #expect(missing?.item == "data/demo_0/obs/sideview_image")
    let numbers = #expect(throws: DemonstrationError.self) {
      try Demonstrations(contentsOf: DemonstrationGoldens.path("images.npz"), images: ["states"])
    }
    #expect(numbers.map { "\($0)" }?.contains("not float32") == true)
    let d4rl = #expect(throws: DemonstrationError.self) {
      try Demonstrations(contentsOf: DemonstrationGoldens.path("d4rl.hdf5"), images: ["images"])
    }
    #expect(d4rl.map { "\($0)" }?.contains("demonstrations.images") == true)
  }

  /// Names of an environment's cameras decide the order; where there are others, sizes do.
  @Test func imagesAreThoseOfTheEnvironmentsCameras() throws {
    var read = try Demonstrations(
      contentsOf: DemonstrationGoldens.path("images.hdf5"),
      images: ["agentview_image", "robot0_eye_in_hand_image"])
    read.nameImages(after: read.cameras.reversed())
    #expect(read.cameras.map(\.name) == ["robot0_eye_in_hand_image", "agentview_image"])
    #expect(read.images[0].frames[0].samples == expected(0, camera: 0))
    let others = ["left", "right"].map { Camera(name: $0, width: 4, height: 3) }
    read.nameImages(after: others)
    #expect(read.cameras == others && read.images[0].frames[4].samples == expected(4, camera: 0))
    #expect(read.notes.contains { $0.contains("'left'") })
    let before = read.cameras
    read.nameImages(after: before.map { Camera(name: "\($0.name)!", width: 5, height: 3) })
    read.nameImages(after: [before[0]])
    #expect(read.cameras == before)
  }

  /// The images of a chunk are those of its history, the episode's first repeated before it.
  @Test func chunksHaveTheirHistorysImages() throws {
    let read = try Demonstrations(
      contentsOf: DemonstrationGoldens.path("images.npz"), images: ["images"])
    let dataset = try ChunkDataset(
      read, normalization: nil, historyLength: 2, chunkLength: 2,
      padding: ChunkPadding(before: 1, after: 1))
    #expect(dataset.cameras == read.cameras && dataset.count == 4 + 3)
    // The first chunk of the first episode starts a step early; the last one of the second episode
    // starts at its last step.
    let batch = dataset.batch([0, 1, 3, 6])
    let images = try #require(batch.observations.images["images 2"])
    #expect(images.shape == [4, 2, 3, 4, 3])
    let steps = [0, 0, 0, 0, 1, 2, 3, 4]
    #expect(images.frames.map(\.samples) == steps.map { expected($0, camera: 1) })
    // As the states, whose first number is twice the step.
    #expect(
      (0..<8).map { batch.observations.state.elements[2 * $0] } == steps.map { Float(2 * $0) })
  }

  /// Brightness is the action: only who sees it can predict it.
  @Test func pretrainingLearnsFromImages() throws {
    let folder = try TemporaryFolder()
    var demonstrations = Demonstrations(stateSize: 1, actionSize: 1)
    var random = RandomStream(seed: 1)
    demonstrations.actions = random.uniform([40, 1]).elements
    demonstrations.states = (0..<40).map { Float($0 % 2) }
    demonstrations.terminals = Array(repeating: false, count: 40)
    demonstrations.lengths = [20, 20]
    let camera = Camera(name: "images", width: 16, height: 16)
    demonstrations.images = [
      CameraImages(
        camera, stepCount: 1,
        bytes: demonstrations.actions.flatMap { action in
          [UInt8](repeating: UInt8(action * 255), count: 16 * 16 * 3)
        })
    ]
    try demonstrations.write(to: folder.file("demonstrations.npz"))
    var policy = PolicyConfiguration()
    policy.environment.name = "none"
    policy.horizonSteps = 1
    policy.actionSteps = 1
    policy.network.hiddenSizes = [16, 16, 16]
    policy.denoising.stepCount = 4
    policy.encoder.kind = "vit"
    policy.encoder.vit.width = 8
    policy.encoder.vit.headCount = 2
    policy.encoder.vit.featureCount = 8
    policy.encoder.vit.patchEmbedding = .embed1
    var settings = DemonstrationConfiguration()
    settings.path = folder.file("demonstrations.npz")
    settings.images = ["images"]
    var configuration = PretrainingConfiguration()
    configuration.batchSize = 32
    configuration.batchCount = 150
    configuration.learningRate = 3e-3
    configuration.emaStart = 0
    configuration.emaDecay = 0.9
    configuration.emaInterval = 1
    func training(_ policy: PolicyConfiguration) throws -> Pretraining {
      try Pretraining(
        policy: policy, configuration: configuration, demonstrations: settings, seed: 3)
    }
    let seeing = try training(policy)
    let before = seeing.checkpoint().weights
    for _ in 0..<configuration.batchCount { _ = try seeing.step() }
    let checkpoint = seeing.checkpoint()
    #expect(checkpoint.cameras == [camera])
    let error = try cloningError(of: checkpoint, demonstrations)
    // Who is blind draws from all actions: twice their variance, 1/6.
    #expect(error < 0.03, "mean squared error \(error)")
    let name = "network.encoder.backbone.vit.patch_embed.conv.weight"
    #expect(checkpoint.weights[name]?.elements != before[name]?.elements)
    // A frozen encoder stays as it was drawn.
    policy.encoder.trained = false
    let frozen = try training(policy)
    for _ in 0..<3 { _ = try frozen.step() }
    #expect(frozen.checkpoint().weights[name]?.elements == before[name]?.elements)
  }

  /// The mean squared difference of what a policy does and what was demonstrated, 0 to 1.
  private func cloningError(
    of checkpoint: PolicyCheckpoint, _ demonstrations: Demonstrations
  ) throws -> Float {
    let dataset = try ChunkDataset(
      demonstrations, normalization: checkpoint.normalization, historyLength: 1, chunkLength: 1)
    let batch = dataset.batch(Array(0..<dataset.count))
    let policy = try checkpoint.makePolicy()
    let decisions = policy.decide(
      on: batch.observations, mode: .evaluating,
      streams: (0..<dataset.count).map { RandomStream(seed: UInt64($0)) })
    return (decisions.chunks - batch.chunks).squared().mean().scalar / 4
  }
}

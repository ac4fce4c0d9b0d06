import Diffusion
import Environments
import NeuralNetworks
import Tensors
import Testing

@testable import DiffusionPolicies

/// A policy network in one file: it says what it predicts, and which weights it has.
private final class LinearDenoiser: ChunkDenoiser {
  private let layer: Linear

  init(actionSize: Int, encodingSize: Int, random: inout some RandomSource) {
    layer = Linear(
      inputSize: actionSize + encodingSize + 1, outputSize: actionSize, random: &random)
  }

  /// Each action for itself, from the encoded observations and the time.
  func callAsFunction(
    _ chunks: Tensor, timeSteps: Broadcast<Float>, condition: Tensor
  ) -> Tensor {
    let (batch, steps) = (chunks.shape[0], chunks.shape[1])
    let times: [Float] =
      switch timeSteps {
      case .shared(let time): Array(repeating: time, count: batch)
      case .perRow(let times): times
      }
    let known = Tensor.concatenated(
      [condition, Tensor(shape: [batch, 1], elements: times.map { $0 / 10 })], along: 1
    ).expandingDimension(at: 1)  // [B, 1, Dc + 1]
    return layer(
      Tensor.concatenated(
        [chunks, .concatenated(Array(repeating: known, count: steps), along: 1)], along: 2))
  }

  func collect(into parameters: inout NamedParameters) { parameters.add("layer", layer) }
}

/// A policy's head in one class: a mean that is linear in the observations.
private final class LinearHead: DensityNetwork {
  private let layer: Linear
  private let chunkShape: [Int]

  init(
    _ configuration: NetworkConfiguration, actionSize: Int, horizonSteps: Int, conditionSize: Int,
    random: inout some RandomSource
  ) {
    chunkShape = [horizonSteps, actionSize]
    layer = Linear(
      inputSize: conditionSize, outputSize: horizonSteps * actionSize, random: &random)
  }

  static func check(_ configuration: NetworkConfiguration) throws {}

  func callAsFunction(_ condition: Tensor) -> Transition {
    Transition(
      mean: layer(condition).reshaped(to: [condition.shape[0]] + chunkShape),
      standardDeviation: Tensor(0.2))
  }

  func collect(into parameters: inout NamedParameters) { parameters.add("layer", layer) }
}

/// What the library does with a network that it does not know.
struct OwnNetworkTests {
  @Test func learnsAndSamples() throws {
    var random = RandomStream(seed: 1)
    let network = ObservingDenoiser(
      FlatteningEncoder(ObservationLayout(stepCount: 1, stateSize: 3)),
      LinearDenoiser(actionSize: 2, encodingSize: 3, random: &random))
    let schedule = NoiseSchedule.policyCosine(timeStepCount: 4)
    let loss = NoisePredictionLoss(network: network, schedule: schedule)
    let batch = ChunkBatch(
      observations: Observations(random.normal([16, 1, 3])), chunks: .zeros([16, 5, 2]))

    // It learns by the loop that all networks learn by.
    var options = SupervisedTraining.Options(schedule: .constant(0.05))
    options.weightDecay = 0
    options.emaDecay = 0.5
    let training = SupervisedTraining(network.parameters, options)
    let draws = RandomStream(seed: 2)
    let losses = try (0..<60).map { step in
      try training.step(rows: 16, shardSize: 8) { rows in
        loss(batch, rows: rows, draws: draws.split(step))
      }.loss
    }
    let (first, last) = (losses.prefix(10).reduce(0, +), losses.suffix(10).reduce(0, +))
    #expect(last < 0.5 * first, "\(losses)")

    // Bound to observations it is the same function.
    let observations = Observations(random.normal([2, 1, 3]))
    let chunks = random.normal([2, 5, 2])
    let bound = network.bound(to: observations, times: [1, 0])
    for times in [Broadcast<Float>.shared(1), .perRow([0, 3])] {
      #expect(
        bound(chunks, times).elements
          == network(chunks, timeSteps: times, observations: observations).elements)
    }
  }

  /// A head that no configuration names clones, acts and is improved as those of the library.
  @Test func anOwnHeadIsClonedAndImproved() throws {
    let configuration = TargetTraining.policy { $0.network.kind = .gaussian }
    let layout = ObservationLayout(stepCount: 2, stateSize: 1)
    var random = RandomStream(seed: 1)
    let network = try configuration.makeDensityNetwork(
      LinearHead.self, layout, actionSize: 1, random: &random)
    let loss = LikelihoodLoss(network: network, entropyCoefficient: 0)
    let batch = ChunkBatch(
      observations: Observations(random.normal([32, 2, 1])), chunks: .ones([32, 4, 1]))
    var options = SupervisedTraining.Options(schedule: .constant(0.05))
    options.weightDecay = 0
    let training = SupervisedTraining(network.parameters, options)
    let losses = try (0..<60).map { _ in
      try training.step(rows: 32, shardSize: 8) { rows in
        loss(batch, rows: rows, draws: RandomStream(seed: 2))
      }.loss
    }
    // A mean that is exact: ln 0.2 + ln(2 pi) / 2.
    #expect(abs(losses[59] - (-1.609 + 0.919)) < 0.1 && losses[0] > losses[59] + 1, "\(losses)")

    var tuning = DPPOConfiguration()
    tuning.environments = 6
    tuning.rolloutSteps = 10
    tuning.batchSize = 30
    tuning.epochs = 2
    tuning.critic.hiddenSizes = [16, 16, 16]
    let checkpoint = PolicyCheckpoint(
      configuration: configuration, normalization: TargetTraining.normalization,
      weights: network.parameters.values.prefixed("network"))
    let trainer = try DPPO(
      PolicyTrainingStart(
        checkpoint, configuration: tuning, seed: 3, registry: TargetEnvironment.registry),
      policy: checkpoint.makeDensityPolicy(LinearHead.self))
    let before = trainer.policy.network.parameters.values.mapValues(\.elements)
    let metrics = try trainer.iterate()
    #expect(metrics.values.allSatisfy { $0.value.isFinite })
    #expect(trainer.policy.network.parameters.values.mapValues(\.elements) != before)
  }
}

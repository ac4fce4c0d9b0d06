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
}

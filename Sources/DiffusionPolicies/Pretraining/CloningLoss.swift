import Diffusion
import Environments
import NeuralNetworks
import Tensors

/// What a policy network is pretrained to make small.
protocol CloningLoss: Sendable {
  /// Reads the observations.
  var encoder: any ObservationEncoder { get }

  /// The loss of some rows of a batch, divided by the size of the whole batch.
  func callAsFunction(_ batch: ChunkBatch, rows: Range<Int>, draws: RandomStream) -> Tensor
}

/// The error of predicted noise at a random time step of every chunk (Ho et al., arXiv:2006.11239,
/// equation 14).
struct NoisePredictionLoss: CloningLoss {
  let network: ObservingDenoiser
  let schedule: NoiseSchedule

  var encoder: any ObservationEncoder { network.encoder }

  func callAsFunction(_ batch: ChunkBatch, rows: Range<Int>, draws: RandomStream) -> Tensor {
    let chunks = batch.chunks.slice(rows)
    // Each row has a stream of its own: shards do not matter.
    var times: [Int] = []
    let noises = rows.map { row in
      var stream = draws.split(row)
      times.append(stream.integer(below: schedule.timeStepCount))
      return stream.normal(Array(chunks.shape.dropFirst()))
    }
    return callAsFunction(
      chunks: chunks, observations: batch.observations.slice(rows), timeSteps: times,
      noise: .stacked(noises), batchSize: batch.chunks.shape[0])
  }

  /// The same with the time steps and noise given.
  func callAsFunction(
    chunks: Tensor, observations: Observations, timeSteps: [Int], noise: Tensor, batchSize: Int
  ) -> Tensor {
    let noisy = schedule.noisySample(chunks, noise: noise, at: .perRow(timeSteps))
    let prediction = network(
      noisy, timeSteps: .perRow(timeSteps.map(Float.init)), observations: observations)
    let elementCount = Float(batchSize * chunks.shape[1] * chunks.shape[2])
    return (prediction - noise).squared().sum() * (1 / elementCount)
  }
}

/// The negative log-likelihood of chunks under a policy whose density is explicit, a mean over their
/// elements, with an entropy bonus.
struct LikelihoodLoss<Network: DensityNetwork>: CloningLoss {
  let network: ObservingDensityNetwork<Network>
  let entropyCoefficient: Float

  var encoder: any ObservationEncoder { network.encoder }

  func callAsFunction(_ batch: ChunkBatch, rows: Range<Int>, draws: RandomStream) -> Tensor {
    let chunks = batch.chunks.slice(rows)
    let distribution = network(batch.observations.slice(rows))
    let elementCount = Float(batch.chunks.count)
    var loss = distribution.logDensities(of: chunks).sum() * (-1 / elementCount)
    if entropyCoefficient != 0, let logStd = distribution.meanLogStd {
      let fraction = Float(rows.count) / Float(batch.chunks.shape[0])
      loss = loss - logStd * (entropyCoefficient * fraction)
    }
    return loss
  }
}

extension PolicyConfiguration {
  /// A network of the policy's kind that has learned nothing, and what it is to make small.
  ///
  /// - Throws: `ConfigurationError` if the configuration cannot make one.
  func makeCloning(
    _ layout: ObservationLayout, actionSize: Int, entropyCoefficient: Double,
    encoders: ObservationEncoderRegistry, random: inout RandomStream
  ) throws -> (loss: any CloningLoss, parameters: NamedParameters) {
    guard let type = network.kind.densityNetwork else {
      let denoiser = try makeDenoiser(
        layout, actionSize: actionSize, encoders: encoders, random: &random)
      let schedule = NoiseSchedule.policyCosine(timeStepCount: denoising.stepCount)
      return (NoisePredictionLoss(network: denoiser, schedule: schedule), denoiser.parameters)
    }
    func make(_ type: (some DensityNetwork).Type) throws -> (any CloningLoss, NamedParameters) {
      let network = try makeDensityNetwork(
        type, layout, actionSize: actionSize, encoders: encoders, random: &random)
      let loss = LikelihoodLoss(network: network, entropyCoefficient: Float(entropyCoefficient))
      return (loss, network.parameters)
    }
    return try make(type)
  }
}

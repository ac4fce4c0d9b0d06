import Diffusion
import Environments
import Foundation
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import DiffusionPolicies

/// A mixture's density, entropy and draws.
struct GaussianMixtureTests {
  private let goldens: GoldenTensors

  init() throws { goldens = try GoldenTensors("DiffusionPolicies/gmm.safetensors") }

  /// The golden's network with its weights, and what it sees.
  private func network(
    _ name: String, _ change: (inout NetworkConfiguration) -> Void
  ) throws -> (network: GaussianMixtureMLP, condition: Tensor) {
    var random = RandomStream(seed: 3)
    let network = try MixtureGoldens.network(random: &random, change)
    try network.parameters.load(goldens.tensors(of: name, role: "parameter"))
    return (network, try goldens["\(name)/input.observations"].flattened(from: 1))
  }

  private func expectGradients(
    of module: any Module, _ gradients: Gradients, _ name: String, _ role: String
  ) throws {
    let expected = try goldens.tensors(of: name, role: "gradient-of-\(role)")
    let trainable = module.parameters.filter(\.parameter.isTrainable)
    #expect(expected.count == trainable.count)
    for (key, parameter) in trainable {
      // A parameter that plays no part has no gradient.
      let found = gradients[parameter.leaf] ?? .zeros(parameter.value.shape)
      expectClose(
        found, try #require(expected[key]), relative: 1e-4, absolute: 2e-6,
        "\(name) gradient of \(role) by \(key)")
    }
  }

  /// `log_prob` and the approximate entropy of `GMMModel`, and the gradients of its loss, of chunks
  /// in a mode, between modes and far from all.
  @Test(arguments: MixtureGoldens.cases.indices) func densityMatchesReference(_ index: Int) throws {
    let (name, change) = MixtureGoldens.cases[index]
    let (network, condition) = try network(name, change)
    let chunks = try goldens["\(name)/chunks"]
    let mixture = network(condition)
    expectClose(
      mixture.logDensities(of: chunks), try goldens["\(name)/log-probability"], relative: 2e-5,
      "\(name) log-probabilities")
    expectClose(
      mixture.meanLogDensities(of: chunks), try goldens["\(name)/log-probability"] / 8,
      relative: 2e-5, "\(name) averages")
    expectClose(
      mixture.meanEntropy.map { $0 * 8 }, try goldens["\(name)/entropy"], relative: 2e-5,
      "\(name) entropy")
    expectClose(mixture.logits.softmax(), try goldens["\(name)/modes"], "\(name) modes")

    let (loss, gradients) = valueAndGradients {
      -network(condition).logDensities(of: chunks).mean()
    }
    expectClose(loss, try goldens["\(name)/loss"], relative: 2e-5, "\(name) loss")
    try expectGradients(of: network, gradients, name, "loss")
    let (_, entropyGradients) = valueAndGradients {
      (network(condition).meanEntropy ?? Tensor(0)) * 8
    }
    try expectGradients(of: network, entropyGradients, name, "entropy")
  }

  /// As robomimic and the reference evaluate: a mode by its probability, and hardly any noise.
  @Test func evaluationTakesAModeAlmostWithoutNoise() throws {
    let (network, condition) = try network("gmm-fixed", MixtureGoldens.fixed)
    let expectedStd = try goldens["gmm-fixed/evaluation-deviation"].scalar
    #expect(abs(GaussianMixture.evaluationStd - expectedStd) < 1e-9)
    let (count, row) = (3000, 1)
    let same = condition.slice(row..<row + 1).broadcast(to: [count, condition.shape[1]])
    let draws = ChunkDraws(
      streams: (0..<count).map { RandomStream(seed: 7, index: $0) }, chunkShape: [4, 2],
      noiseLimit: 3)
    let means = try goldens["gmm-fixed/output.mean"].slice(row..<row + 1)
      .reshaped(to: [3, 8]).elements
    let probabilities = try goldens["gmm-fixed/modes"].slice(row..<row + 1).elements
    for (mode, std) in [(ActionMode.evaluating, Float(1e-4)), (.exploring, 0.1)] {
      let chunks = network(same).chunks(mode, draws).elements
      var counts = [0, 0, 0]
      var squares = 0.0
      for row in 0..<count {
        let errors = (0..<3).map { mode in
          (0..<8).reduce(0.0) { sum, index in
            let error = Double(chunks[row * 8 + index] - means[mode * 8 + index]) / Double(std)
            return sum + error * error
          }
        }
        let nearest = try #require(errors.indices.min { errors[$0] < errors[$1] })
        counts[nearest] += 1
        squares += errors[nearest]
      }
      // The noise is clamped at three standard deviations: its variance is 0.9973.
      #expect(abs(squares / Double(8 * count) - 0.9973) < 0.03, "\(mode): \(squares)")
      for (found, probability) in zip(counts, probabilities) {
        let expected = Double(probability) * Double(count)
        #expect(abs(Double(found) - expected) < 4 * expected.squareRoot(), "\(mode): \(counts)")
      }
    }
  }

  /// One mode is a Gaussian policy, to the same draws and, but for rounding, the same densities.
  @Test func oneModeIsAGaussian() throws {
    var random = RandomStream(seed: 9)
    let (mean, std) = (random.normal([6, 4, 2]), random.uniform([6, 4, 2], in: 0.1..<0.5))
    let gaussian = Transition(mean: mean, standardDeviation: std)
    let mixture = GaussianMixture(
      means: mean.expandingDimension(at: 1), standardDeviations: std.expandingDimension(at: 1),
      logits: random.normal([6, 1]))
    let draws = ChunkDraws(
      streams: (0..<6).map { RandomStream(seed: 2, index: $0) }, chunkShape: [4, 2], noiseLimit: 3)
    let chunks = gaussian.chunks(.exploring, draws)
    #expect(mixture.chunks(.exploring, draws).elements == chunks.elements)
    expectClose(
      mixture.meanLogDensities(of: chunks), gaussian.meanLogDensities(of: chunks), "densities")
    expectClose(mixture.meanEntropy, try #require(gaussian.meanEntropy), "entropy")
  }

  /// What broke anywhere is seen in the action, not covered by a mode that is chosen for nothing.
  @Test func brokenWeightsBreakTheAction() {
    let mixture = GaussianMixture(
      means: .zeros([2, 3, 4, 2]), standardDeviations: Tensor(0.1),
      logits: Tensor(shape: [2, 3], elements: [0, .nan, 0, 0, 0, 0]))
    let draws = ChunkDraws(
      streams: (0..<2).map { RandomStream(seed: 2, index: $0) }, chunkShape: [4, 2], noiseLimit: 3)
    for mode in [ActionMode.exploring, .evaluating] {
      let chunks = mixture.chunks(mode, draws)
      #expect(chunks.slice(0..<1).elements.allSatisfy { $0.isNaN })
      #expect(chunks.slice(1..<2).elements.allSatisfy { $0.isFinite })
    }
  }

  /// A mode that is far away, whose density underflows, leaves a number and gradients that are one.
  @Test func farChunksKeepTheirDensity() {
    let mixture = GaussianMixture(
      means: Tensor(shape: [1, 2, 1, 1], elements: [-1, 1]), standardDeviations: Tensor(0.01),
      logits: Tensor(shape: [1, 2], elements: [0, 0]))
    let chunk = Tensor(shape: [1, 1, 1], elements: [3])
    let found = mixture.logDensities(of: chunk).elements[0]
    // (3 - 1)^2 / (2 x 0.01^2) = 20000, ln 0.01 = -4.605, ln(2 pi) / 2 = 0.919, ln 0.5 = -0.693.
    #expect(abs(found - (-20000 + 4.605 - 0.919 - 0.693)) < 0.05, "\(found)")
  }

  /// Saved and read, a mixture makes the same decisions, of the same log-probabilities.
  @Test(arguments: NetworkConfiguration.StandardDeviation.allCases)
  func checkpointsKeepMixtures(_ std: NetworkConfiguration.StandardDeviation) throws {
    let folder = try TemporaryFolder()
    let checkpoint = try TargetTraining.start {
      $0.network.kind = .gmm
      $0.network.modes = 3
      $0.network.stdKind = std
    }
    try checkpoint.write(to: folder.file("policy.safetensors"))
    let read = try PolicyCheckpoint(path: folder.file("policy.safetensors"))
    #expect(read.configuration == checkpoint.configuration)
    var random = RandomStream(seed: 6)
    let observations = Observations(random.normal([8, 2, 1]))
    let streams = (0..<8).map { RandomStream(seed: 3, purpose: "test", index: $0) }
    func decide(_ checkpoint: PolicyCheckpoint) throws -> [ChunkDecisions] {
      let policy = try checkpoint.makePolicy()
      return [ActionMode.exploring, .evaluating].map {
        policy.decide(on: observations, mode: $0, streams: streams)
      }
    }
    for (one, other) in zip(try decide(checkpoint), try decide(read)) {
      #expect(one.chunks.elements == other.chunks.elements)
      #expect(one.logProbabilities.elements == other.logProbabilities.elements)
    }
    // It is played: the same episodes, whoever is played beside.
    let environment = try TargetTraining.environment(read.configuration)
    let played = try [1, 3].map {
      try PolicyEvaluation(environment, seed: 9, sideBySide: $0)
        .play(read.makePolicy(), episodeCount: 3)
    }
    #expect(played[0] == played[1] && played[0].allSatisfy { $0.stepCount > 0 })
  }
}

/// What a mixture is for: demonstrations that do one thing or another.
struct TwoWaysTests {
  /// Chunks that go one way or the other, whatever is seen.
  private func learned(_ kind: NetworkConfiguration.Kind) throws -> [Float] {
    let folder = try TemporaryFolder()
    var demonstrations = Demonstrations(stateSize: 1, actionSize: 1)
    var random = RandomStream(seed: 1)
    for episode in 0..<40 {
      demonstrations.states += random.uniform([6], in: -1..<1).elements
      demonstrations.actions +=
        (random.uniform([6], in: 0.4..<0.6) * (episode % 2 == 0 ? 1 : -1))
        .elements
      demonstrations.rewards += Array(repeating: 0, count: 6)
      demonstrations.terminals += Array(repeating: false, count: 6)
      demonstrations.lengths.append(6)
    }
    try demonstrations.write(to: folder.file("demonstrations.npz"))
    var policy = PolicyConfiguration()
    policy.environment.name = "none"
    policy.network.kind = kind
    policy.network.modes = 4
    policy.network.hiddenSizes = [16, 16, 16]
    var settings = DemonstrationConfiguration()
    settings.path = folder.file("demonstrations.npz")
    var configuration = PretrainingConfiguration()
    configuration.batchSize = 120
    configuration.batchCount = 300
    configuration.learningRate = 1e-2
    configuration.emaStart = 300
    configuration.emaInterval = 1
    let training = try Pretraining(
      policy: policy, configuration: configuration, demonstrations: settings, seed: 3)
    for _ in 0..<300 { _ = try training.step() }
    return try training.checkpoint().makePolicy().decide(
      on: Observations(random.uniform([60, 1, 1], in: -1..<1)), mode: .evaluating,
      streams: (0..<60).map { RandomStream(seed: 5, index: $0) }
    ).chunks.elements
  }

  @Test func aMixtureGoesEitherWay() throws {
    // The ranges of actions are -0.6 to 0.6: the ways are about -0.83 and 0.83.
    let found = try learned(.gmm)
    #expect(found.allSatisfy { abs($0) > 0.6 })
    for row in 0..<60 {
      let chunk = found[4 * row..<4 * row + 4]
      #expect(Set(chunk.map { $0 > 0 }).count == 1, "\(chunk)")
    }
    let right = found.count { $0 > 0 }
    #expect(right > 60 && right < 180, "\(right)")
    // A Gaussian goes between, as far as it has not learned by heart who went where.
    let between = try learned(.gaussian).count { abs($0) < 0.6 }
    #expect(between > 200, "\(between)")
  }
}

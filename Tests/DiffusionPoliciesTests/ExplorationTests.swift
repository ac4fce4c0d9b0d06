import Environments
import Foundation
import Tensors
import Testing

@testable import DiffusionPolicies

/// The noise of training and of evaluation.
struct ExplorationTests {
  private let observations: Observations
  private let streams = (0..<8).map { RandomStream(seed: 3, purpose: "test", index: $0) }

  init() {
    var random = RandomStream(seed: 6)
    observations = Observations(random.normal([8, 2, 1]))
  }

  private func decisions(
    _ mode: ActionMode, _ configuration: PolicyConfiguration,
    _ change: (inout DiffusionPolicy.Exploration) -> Void
  ) throws -> ChunkDecisions {
    var exploration = DiffusionPolicy.Exploration()
    change(&exploration)
    let policy = try DiffusionPolicy(
      configuration, exploration: exploration,
      layout: ObservationLayout(stepCount: 2, stateSize: 1), actionSize: 1,
      transitionCount: 1, random: RandomStream(seed: 5))
    return policy.decide(on: observations, mode: mode, streams: streams)
  }

  /// Evaluation knows DDIM's own eta, not that of training.
  @Test func evaluationHasItsOwnEta() throws {
    func chunks(_ mode: ActionMode, ddimEta: Float, eta: Float) throws -> [Float] {
      let implicit = TargetTraining.policy {
        $0.denoising.stepCount = 20
        $0.denoising.sampler = .ddim
        $0.denoising.ddimStepCount = 4
        $0.denoising.ddimEta = ddimEta
      }
      return try decisions(mode, implicit) { $0.eta = eta }.chunks.elements
    }
    let found = try chunks(.evaluating, ddimEta: 0, eta: 1)
    #expect(try chunks(.evaluating, ddimEta: 0, eta: 0.2) == found)
    #expect(try chunks(.evaluating, ddimEta: 1, eta: 1) != found)
    #expect(
      try chunks(.exploring, ddimEta: 0, eta: 1) != chunks(.exploring, ddimEta: 0, eta: 0.2))
  }

  /// What is executed keeps to the limit, what is scored is the draw.
  @Test(arguments: [NetworkConfiguration.Kind.gaussian, .gmm])
  func actionsOfOneStepKeepToTheirLimit(_ kind: NetworkConfiguration.Kind) throws {
    var exploration = DiffusionPolicy.Exploration()
    exploration.actionLimit = 0.01
    let policy = try TargetTraining.start { $0.network.kind = kind }
      .makePolicy(exploration: exploration)
    let decisions = policy.decide(on: observations, mode: .exploring, streams: streams)
    let draws = decisions.states.slice(1..<2, along: 1).elements
    #expect(draws.contains { abs($0) > 0.01 })
    #expect(decisions.chunks.elements == draws.map { min(max($0, -0.01), 0.01) })
  }

  /// A chain of one step, the last one, of whole chunks.
  private func oneStep(samplingStd: Float, logProbStd: Float = 0.1) throws -> ChunkDecisions {
    let policy = TargetTraining.policy {
      $0.denoising.stepCount = 2
      $0.denoising.sampler = .ddim
      $0.denoising.ddimStepCount = 1
    }
    return try decisions(.exploring, policy) {
      $0.minSamplingStd = samplingStd
      $0.minLogProbStd = logProbStd
      $0.actionLimit = 100
    }
  }

  /// The sampler's own last step draws no noise.
  @Test func theLastStepExplores() throws {
    let means = try oneStep(samplingStd: 0).chunks
    let draws = try oneStep(samplingStd: 0.5).chunks - means
    let std = (draws.squaredNorm() / Double(draws.count)).squareRoot()
    #expect(std > 0.35 && std < 0.65, "\(std)")
  }

  /// Drawn with a standard deviation of 0.5, scored with one of 2: the mean of two executed actions.
  @Test func logProbabilitiesHaveTheirOwnStd() throws {
    let means = try oneStep(samplingStd: 0).chunks
    let found = try oneStep(samplingStd: 0.5, logProbStd: 2)
    let scaled = ((found.chunks - means) / 2).elements
    let constant = log(Float(2)) + 0.918_938_5
    for (row, logProbability) in found.logProbabilities.elements.enumerated() {
      let executed = scaled[4 * row..<4 * row + 2]
      let expected = executed.reduce(0) { $0 - $1 * $1 / 2 } / 2 - constant
      #expect(abs(logProbability - expected) <= 1e-4, "row \(row)")
    }
  }
}

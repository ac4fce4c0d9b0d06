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
  @Test func gaussianActionsKeepToTheirLimit() throws {
    let policy = try GaussianPolicy(
      TargetTraining.policy { $0.network.kind = .gaussian },
      layout: ObservationLayout(stepCount: 2, stateSize: 1), actionSize: 1,
      actionLimit: 0.01, random: RandomStream(seed: 5))
    let decisions = policy.decide(on: observations, mode: .exploring, streams: streams)
    let draws = decisions.states.slice(1..<2, along: 1).elements
    #expect(draws.contains { abs($0) > 0.01 })
    #expect(decisions.chunks.elements == draws.map { min(max($0, -0.01), 0.01) })
  }
}

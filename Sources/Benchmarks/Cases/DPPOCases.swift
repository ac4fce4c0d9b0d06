import DiffusionPolicies
import Environments
import Tensors

/// DPPO's Hopper setting with fresh weights; Peers/dppo_iteration.py has the same numbers.
enum DPPOHopper {
  /// 40 environments x 500 decisions of 4 actions, K = 20, K' = 10, 20 minibatches of 50,000.
  static let configuration = DPPOConfiguration()

  /// A policy of random weights; ranges are about those that the demonstrations' SAC policy
  /// reaches.
  static func makeCheckpoint(seed: UInt64) throws -> PolicyCheckpoint {
    let policy = PolicyConfiguration()
    return PolicyCheckpoint(
      configuration: policy,
      normalization: DemonstrationNormalization(
        observations: MinMaxNormalization(
          minimum: [0.7, -0.2, -1, -1.5, -0.8, -1, -3, -4, -8, -8, -8],
          maximum: [1.7, 0.2, 0.1, 0.1, 0.8, 4, 3, 4, 8, 8, 8]),
        actions: MinMaxNormalization(minimum: [-1, -1, -1], maximum: [1, 1, 1])),
      weights: try DiffusionPolicy(
        policy, layout: ObservationLayout(stepCount: 1, stateSize: 11), actionSize: 3,
        random: RandomStream(seed: seed, purpose: "weights")
      ).weights)
  }
}

extension BenchmarkCase {
  /// One decision of the Hopper policy for 40 environments with its chain: 20 runs of a network.
  static var decisions: [BenchmarkCase] {
    [
      BenchmarkCase(
        name: "dppo-sample-40",
        operationCount: 20 * 40 * 2 * Double(39 * 512 + 2 * 512 * 512 + 512 * 12)
      ) {
        guard
          let policy = try? DPPOHopper.makeCheckpoint(seed: 1).makePolicy(
            exploration: DPPOHopper.configuration.exploration,
            fineTuning: DPPOHopper.configuration.fineTunedSteps)
        else { preconditionFailure("DPPO's numbers make no policy") }
        return { random in
          let observations = Observations(random.normal([40, 1, 11]))
          let streams = (0..<40).map { random.split($0) }
          return {
            let decisions = policy.decideInParallel(
              on: observations, mode: .exploring, streams: streams)
            consume(decisions.chunks, decisions.states)
          }
        }
      }
    ]
  }
}

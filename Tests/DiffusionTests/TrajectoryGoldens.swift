import Diffusion
import Tensors
import TestSupport
import Testing

/// Trajectories of diffusers' schedulers, and the "network" that they were made with.
struct TrajectoryGoldens {
  private let goldens: GoldenTensors

  init(_ file: String) throws { goldens = try GoldenTensors("Diffusion/\(file)") }

  /// The trajectories' names.
  var names: [String] { goldens.names.filter { $0.contains("/") && !$0.hasPrefix("times/") } }

  /// Follows a golden, with the same "network" as the generator's and its noise.
  func check(_ name: String, _ sampler: any Sampler, relative: Float = 1e-5) throws {
    let predicted = try goldens["predicted"]
    let expected = try goldens[name]
    let noises = try goldens["noise"]
    var noise = RecordedNoise((0..<noises.shape[0]).map { noises[$0] })
    var run = 0
    let chain = DenoisingProcess(sampler: sampler).rollout(
      from: try goldens["initial"], keeping: .all, noise: &noise
    ) { sample, _ in
      defer { run += 1 }
      return predicted[run] + sample * 0.25
    }
    #expect(run == sampler.timeSteps.count)
    guard chain.states.count == expected.shape[0] else {
      Issue.record("\(name): \(chain.states.count) states, expected \(expected.shape[0])")
      return
    }
    for (index, state) in chain.states.enumerated() {
      expectClose(state, expected[index], relative: relative, "\(name), state \(index)")
    }
    expectClose(
      Tensor(sampler.timeSteps), try goldens["times/\(name)"], relative: 1e-6,
      "time steps of \(name)")
  }
}

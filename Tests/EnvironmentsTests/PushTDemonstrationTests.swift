import Files
import Foundation
import TestSupport
import Testing

@testable import Environments

/// The 206 human demonstrations of the benchmark, replayed without feedback.
///
/// They are not part of the repository; `PushTReplayTests` has a short excerpt of our own.
@Suite struct PushTDemonstrationTests {
  @Test func replaysTheDemonstrations() throws {
    guard let file = Repository.sharedData("pusht/pusht_demos.npz") else { return }
    let demonstrations = try NPZFile(path: file)
    let states = try demonstrations.tensor(named: "states").elements
    let actions = try demonstrations.tensor(named: "actions").elements
    let lengths = try demonstrations.integers(named: "traj_lengths")
    #expect(lengths.count == 206 && 5 * lengths.reduce(0, +) == states.count)
    #expect(2 * lengths.reduce(0, +) == actions.count)

    let environment = PushTEnvironment()
    var finalErrors: [Double] = []
    var worstErrors: [Double] = []
    var start = 0
    for length in lengths {
      environment.reset(.state(states[5 * start..<5 * start + 5].map { Double($0) }))
      var errors: [Double] = []
      for step in start..<start + length {
        let recorded = states[5 * step..<5 * step + 5].map { Double($0) }
        let found = environment.state
        errors.append(max(abs(found[2] - recorded[2]), abs(found[3] - recorded[3])))
        try environment.step(Array(actions[2 * step..<2 * step + 2]))
      }
      finalErrors.append(errors.last ?? .nan)
      worstErrors.append(errors.max() ?? .nan)
      start += length
    }
    let median = finalErrors.sorted()[finalErrors.count / 2]
    let closeCount = worstErrors.filter { $0 <= 0.01 }.count
    print(
      "Push-T replay: median final block error \(median) px; \(closeCount) of 206 within 0.01 px")
    #expect(!(median > 1e-3))
    #expect(closeCount >= 180)
  }
}

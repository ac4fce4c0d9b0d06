import Testing

@testable import Environments

/// Rewards, observations and endings against Gymnasium's own classes on MuJoCo 2.2.2.
@Suite struct GymnasiumTests {
  static let tolerance = 1e-5

  @Test(arguments: ["hopper", "walker2d", "half-cheetah"], ["v4", "v5"])
  func stepsLikeGymnasium(task: String, version: String) throws {
    let environment = try makeRobot(task, version)
    let initial = try Goldens.array("\(task)-\(version)-initial.npy")
    let steps = try Goldens.array("\(task)-\(version)-steps.npy")
    let (seedCount, stepCount) = (steps.shape[0], steps.shape[1])
    #expect(seedCount == (version == "v4" ? 20 : 4) && stepCount == 50)
    let actionSize = environment.actionSpace.count
    let observationSize = environment.observationSpace.count
    #expect(steps.shape[2] == actionSize + observationSize + 2)
    #expect(initial.shape == [seedCount, observationSize + 1])

    var worst = 0.0
    for seed in 0..<seedCount {
      environment.reset(.state(Array(initial[seed])))
      for step in 0..<stepCount {
        let row = Array(steps[seed, step])
        let outcome = try environment.step(row.prefix(actionSize).map { Float($0) })
        let found = environment.observation.map { Double($0) } + [Double(outcome.reward)]
        let expected = row.dropFirst(actionSize).dropLast()
        #expect(found.count == expected.count)
        for (mine, theirs) in zip(found, expected) { worst = max(worst, abs(mine - theirs)) }
        let isClose = zip(found, expected).allSatisfy { abs($0 - $1) <= Self.tolerance }
        #expect(isClose, "\(task) \(version) seed \(seed) step \(step): \(found) \(row)")
        #expect(outcome.isTerminated == (row.last == 1))
        #expect(!outcome.isTruncated)
        guard isClose else { break }
      }
    }
    print("\(task) \(version): greatest difference from Gymnasium \(worst)")
  }

  private func makeRobot(_ task: String, _ version: String) throws -> LocomotionEnvironment {
    let version = try #require(LocomotionRules.Version(rawValue: version))
    switch task {
    case "hopper": return try .hopper(.hopper(version))
    case "walker2d": return try .walker2D(.walker2D(version))
    default: return try .halfCheetah(.halfCheetah(version))
    }
  }
}

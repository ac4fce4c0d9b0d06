import Foundation
import Testing

@testable import Environments

@Suite struct PushTTests {
  /// Three episodes that pymunk played, with contacts, walls and a jammed block.
  @Test func playsLikePymunk() throws {
    let initial = try Goldens.array("push-t-initial.npy")
    let steps = try Goldens.array("push-t-steps.npy")
    #expect(initial.shape == [3, 5] && steps.shape == [3, 60, 8])
    let environment = PushTEnvironment()
    var worst = 0.0
    for episode in 0..<3 {
      environment.reset(.state(Array(initial[episode])))
      for step in 0..<60 {
        let row = Array(steps[episode, step])
        let outcome = try environment.step([Float(row[0]), Float(row[1])])
        let found = environment.state + [environment.coverage]
        for (mine, theirs) in zip(found, row[2...]) { worst = max(worst, abs(mine - theirs)) }
        let isClose = zip(found, row[2...]).allSatisfy { abs($0 - $1) <= 1e-7 }
        #expect(isClose, "episode \(episode) step \(step): \(found), pymunk \(row[2...])")
        #expect(outcome.reward == Float(min(environment.coverage / 0.95, 1)))
        guard isClose else { break }
      }
    }
    print("push-t: greatest difference from pymunk \(worst) px")
  }

  @Test func coverageIsThatOfExactPolygons() throws {
    let golden = try Goldens.array("coverage.npy")
    #expect(golden.shape == [200, 4])
    for index in 0..<200 {
      let row = Array(golden[index])
      let found = PushTGeometry.coverage(
        of: PushTGeometry.Pose(position: SIMD2(row[0], row[1]), angle: row[2]))
      #expect(!(abs(found - row[3]) > 1e-10), "pose \(row): \(found)")
    }
  }

  @Test func endsWhenTheBlockIsHome() throws {
    let environment = PushTEnvironment()
    environment.reset(.state([60, 60, 256, 256, .pi / 4]))
    let outcome = try environment.step([60, 60])
    #expect(outcome == StepOutcome(reward: 1, isTerminated: true))
    #expect(environment.info["isSuccess"] == 1)
    environment.reset(.state([60, 60, 256, 270, .pi / 4]))
    let near = try environment.step([60, 60])
    #expect(near.reward > 0.5 && near.reward < 1 && !near.isFinished)
  }

  @Test func successMayBeWorthMore() throws {
    let environment = try EnvironmentRegistry.standard.make("push-t", ["successReward": "50"])
    try environment.reset(.state([60, 60, 256, 256, .pi / 4]))
    #expect(try environment.step([60, 60]) == StepOutcome(reward: 51, isTerminated: true))
    try environment.reset(.state([60, 60, 256, 300, .pi / 4]))
    #expect(try environment.step([60, 60]).reward < 1)
  }

  @Test func theLastPixelsMayBeWorthMore() throws {
    let plain = PushTEnvironment()
    let steep = try EnvironmentRegistry.standard.make("push-t", ["rewardExponent": "6"])
    for y in [258.0, 270, 300] {
      let start = EpisodeStart.state([60, 60, 256, y, .pi / 4])
      plain.reset(start)
      try steep.reset(start)
      let (expected, found) = try (plain.step([60, 60]).reward, steep.step([60, 60]).reward)
      #expect(!(abs(found - pow(expected, 6)) > 1e-6))
    }
    #expect(throws: (any Error).self) {
      try EnvironmentRegistry.standard.make("push-t", ["rewardExponent": "0"])
    }
  }

  /// The best reward is the benchmark's, however an agent is paid.
  @Test func bestRewardIsTheTasksOwn() throws {
    let registry = EnvironmentRegistry.standard
    let plain = try registry.make("push-t", ["timeLimit": "40"])
    let paid = try registry.make(
      "push-t",
      ["timeLimit": "40", "reward": "progress", "successReward": "50", "rewardExponent": "6"])
    let starts: [EpisodeStart] = [
      .seed(3), .state([60, 60, 256, 270, .pi / 4]), .state([60, 60, 256, 256, .pi / 4]),
    ]
    let random = RandomActions(space: plain.actionSpace, seed: 4)
    for start in starts {
      let expected = try plain.playEpisode(from: start, policy: { _, step in random[step] })
      let found = try paid.playEpisode(from: start, policy: { _, step in random[step] })
      #expect(found.bestReward == expected.bestReward)
      #expect((0...1).contains(expected.bestReward) && found.totalReward != expected.totalReward)
      #expect(found.isSuccess == expected.isSuccess)
    }
    // The last one is done at once: 1, not the 51 that it is paid.
    #expect(paid.layer(EpisodeRecorder.self)?.statistics.bestReward == 1)
  }

  @Test func progressSumsToWhatIsCovered() throws {
    let paid = try EnvironmentRegistry.standard.make("push-t", ["reward": "progress"])
    let plain = PushTEnvironment()
    let start = EpisodeStart.state([200, 340, 230, 300, 0.6])
    try paid.reset(start)
    plain.reset(start)
    let first = Float(plain.coverage / PushTEnvironment.successCoverage)
    var (sum, last) = (first, Float(0))
    for step in 0..<30 {
      let action: [Float] = [220 + 4 * Float(step), 320 - 3 * Float(step)]
      last = try plain.step(action).reward
      sum += try paid.step(action).reward
    }
    #expect(!(abs(sum - last) > 1e-5))
    #expect(abs(last - first) > 0.05)
  }

  @Test func observesTheAngleWithinOneTurn() {
    let environment = PushTEnvironment()
    for turns in [-2.0, 0, 3] {
      environment.reset(.state([60, 60, 300, 200, 1 + turns * 2 * .pi]))
      let observation = environment.observation
      #expect(observation.count == 5 && observation[..<4] == [60, 60, 300, 200])
      #expect(!(abs(observation[4] - 1) > 1e-5))
    }
  }

  @Test func keypointsTurnWithTheBlock() {
    let environment = PushTEnvironment(observing: .keypoints)
    environment.reset(.state([60, 70, 300, 200, .pi / 2]))
    let observation = environment.observation
    #expect(observation.count == 20 && observation[18...] == [60, 70])
    // A quarter turn takes (x, y) of the block to (-y, x).
    let first = PushTGeometry.keypoints[0]
    #expect(!(abs(Double(observation[0]) - (300 - first.y)) > 1e-4))
    #expect(!(abs(Double(observation[1]) - (200 + first.x)) > 1e-4))
  }

  @Test func survivesTargetsThatMakeNoSense() throws {
    let environment = PushTEnvironment()
    for target in [Float.infinity, -.infinity, .nan, .greatestFiniteMagnitude, 1e30] {
      try environment.reset(seed: 3)
      for _ in 0..<5 { try environment.step([target, 256]) }
      let observation = environment.observation
      #expect(observation.allSatisfy(\.isFinite) == target.isFinite)
    }
  }
}

@Suite struct ConvexPolygonTests {
  private let square = [SIMD2(0.0, 0), SIMD2(1, 0), SIMD2(1, 1), SIMD2(0, 1)]

  @Test func sharedAreasOfSquares() {
    func shifted(_ x: Double, _ y: Double) -> [SIMD2<Double>] { square.map { $0 + SIMD2(x, y) } }
    for (x, y, area) in [
      (0.0, 0.0, 1.0), (0.5, 0, 0.5), (0.25, 0.5, 0.375), (1, 0, 0), (1, 1, 0), (2, 0, 0),
    ] {
      for other in [shifted(x, y), shifted(x, y).reversed()] {
        #expect(!(abs(ConvexPolygons.sharedArea(square, other) - area) > 1e-15))
        #expect(!(abs(ConvexPolygons.sharedArea(other, square) - area) > 1e-15))
      }
    }
  }

  @Test func sharedAreaOfAStarIsAnOctagon() {
    let diamond = [SIMD2(0.5, -0.2), SIMD2(1.2, 0.5), SIMD2(0.5, 1.2), SIMD2(-0.2, 0.5)]
    // Four corners with legs of 0.3 are cut off the square.
    let area = 1 - 4 * 0.3 * 0.3 / 2
    #expect(!(abs(ConvexPolygons.sharedArea(square, diamond) - area) > 1e-14))
  }
}

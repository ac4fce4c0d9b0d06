import Testing

@testable import Environments

@Suite struct RegistryTests {
  let registry = EnvironmentRegistry.standard

  @Test func makesEveryEnvironment() throws {
    #expect(registry.entries.map(\.name) == ["hopper", "walker2d", "half-cheetah", "push-t"])
    let sizes = try registry.entries.map { entry in
      let environment = try registry.make(entry.name)
      #expect(environment.name == entry.name)
      return [environment.observationSpace.count, environment.actionSpace.count]
    }
    #expect(sizes == [[11, 3], [17, 6], [17, 6], [5, 2]])
    #expect(try registry.make("hopper").stepsPerSecond == 125)
  }

  @Test func parametersReachTheEnvironment() throws {
    let hopper = try registry.make(
      "hopper",
      ["version": "v5", "timeLimit": 7, "controlCostWeight": "0.5", "observesPosition": true])
    let robot = try #require(hopper.layer(LocomotionEnvironment.self))
    #expect(robot.rules.version == .v5 && robot.rules.controlCostWeight == 0.5)
    #expect(robot.rules.healthyReward == 1 && hopper.observationSpace.count == 12)
    #expect(hopper.layer(TimeLimit.self)?.stepLimit == 7)
    #expect(try registry.make("push-t", ["observation": "keypoints"]).observationSpace.count == 20)
  }

  @Test(
    arguments: [
      ("hoper", [:], "did you mean 'hopper'?"),
      ("pusht", [:], "did you mean 'push-t'?"),
      ("zzzzzzzz", [:], "known: hopper, walker2d, half-cheetah, push-t"),
      ("hopper", ["timelimits": 3], "did you mean 'timeLimit'?"),
      ("hopper", ["version": "v6"], "'version' is 'v6', expected v4 or v5"),
      ("hopper", ["timeLimit": 0], "'timeLimit' is 0, expected a whole number from 1"),
      ("hopper", ["timeLimit": "many"], "'timeLimit' is 'many', expected a number"),
      ("hopper", ["resetNoiseScale": -1], "expected a number from 0"),
      ("hopper", ["observesPosition": 1], "'observesPosition' is '1', expected true or false"),
      ("push-t", ["version": "v4"], "no parameter 'version'"),
    ] as [(String, [String: EnvironmentParameter], String)])
  func wrongRequestsSayWhatIsRight(
    name: String, parameters: [String: EnvironmentParameter], words: String
  ) {
    #expect {
      try registry.make(name, parameters)
    } throws: { error in
      "\(error)".contains(words) && error is EnvironmentError
    }
  }

  @Test func ownEnvironmentsCanBeRegistered() throws {
    var registry = EnvironmentRegistry()
    registry.register(
      .init(name: "counting", summary: "counts", timeLimit: 4) { _ in CountingEnvironment() })
    let environment = try registry.make("counting")
    #expect(environment.layer(TimeLimit.self)?.stepLimit == 4)
    let statistics = environment.playEpisode(from: .seed(0), policy: { _, step in [Float(step)] })
    #expect(statistics.stepCount == 4 && statistics.totalReward == 6)
  }
}

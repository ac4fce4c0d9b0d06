import Configuration
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
      ["version": "v5", "timeLimit": "7", "controlCostWeight": "0.5", "observesPosition": "true"])
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
      (
        "hopper", ["timelimits": "3"],
        "environment hopper: 'timelimits': is not a setting; did you mean 'timeLimit'?"
      ),
      (
        "hopper", ["version": "v6"],
        "environment hopper: 'version': found 'v6', expected one of v4, v5; did you mean 'v4'?"
      ),
      ("hopper", ["timeLimit": "0"], "'timeLimit': found 0, expected 1 to 1000000000"),
      ("hopper", ["timeLimit": "many"], "'timeLimit': found 'many', expected a whole number"),
      ("hopper", ["resetNoiseScale": "-1"], "found -1.0, expected a number from 0"),
      ("hopper", ["observesPosition": "1"], "found '1', expected true or false"),
      ("push-t", ["version": "v4"], "'version': is not a setting; choose from imageSize, "),
    ] as [(String, [String: String], String)])
  func wrongRequestsSayWhatIsRight(
    name: String, parameters: [String: String], words: String
  ) {
    #expect {
      try registry.make(name, parameters)
    } throws: { error in
      "\(error)".contains(words)
        && (parameters.isEmpty ? error is EnvironmentError : error is ConfigurationError)
    }
  }

  /// As `environment list` and reports show them; what is given wins.
  @Test func parametersAreDescribed() throws {
    let pushT = try #require(registry.entries.first { $0.name == "push-t" })
    #expect(pushT.parameters.map(\.key).first == "timeLimit")
    let reward = try #require(pushT.parameters.first { $0.key == "reward" })
    #expect(reward.defaultText == "coverage" && reward.choices == ["coverage", "progress"])
    let exponent = try #require(pushT.parameters.first { $0.key == "rewardExponent" })
    #expect(exponent.range == "0.1 to 100" && exponent.meaning?.hasPrefix("the power") == true)
    #expect(pushT.parameters.allSatisfy { $0.meaning != nil })
    #expect(
      try registry.parameters(of: "push-t", given: ["rewardExponent": "2"]) == [
        "timeLimit": "300", "observation": "state", "reward": "coverage", "successReward": "0",
        "rewardExponent": "2", "imageSize": "96",
      ])
    let cheetah = try registry.parameters(of: "half-cheetah")
    #expect(cheetah["healthyReward"] == "0" && cheetah["controlCostWeight"] == "0.1")
  }

  @Test func ownEnvironmentsCanBeRegistered() throws {
    var registry = EnvironmentRegistry()
    registry.register(
      .init(name: "counting", summary: "counts", timeLimit: 4) { _ in CountingEnvironment() })
    let environment = try registry.make("counting")
    #expect(environment.layer(TimeLimit.self)?.stepLimit == 4)
    let statistics = try environment.playEpisode(
      from: .seed(0), policy: { _, step in [Float(step)] })
    #expect(statistics.stepCount == 4 && statistics.totalReward == 6)
  }

  private struct CountingParameters: EnvironmentParameters {
    @Setting(1...1000, "steps until an episode is truncated") var timeLimit = 9
    @Setting("of no use") var spare = true
  }

  /// Environments that are found by their names, not registered one by one.
  @Test func namesWithAPrefixAreResolved() throws {
    var registry = EnvironmentRegistry.standard
    registry.register(
      .init(prefix: "count", summary: "counting environments that end where their name states") {
        rest in
        guard let last = Int(rest) else {
          throw EnvironmentError.unknownEnvironment(
            name: "count:\(rest)", nearest: nil, known: ["count:NUMBER"])
        }
        return .init(name: "count:\(rest)", summary: "", parameters: CountingParameters()) { _ in
          CountingEnvironment(lastStep: last)
        }
      })
    func length(_ name: String, _ parameters: [String: String] = [:]) throws -> Int {
      try registry.make(name, parameters)
        .playEpisode(from: .seed(0), policy: { _, _ in [1] }).stepCount
    }
    #expect(try length("count:4") == 4 && length("count:40") == 9)
    #expect(try length("count:40", ["timeLimit": "12"]) == 12)
    #expect(try registry.parameters(of: "count:4") == ["spare": "true", "timeLimit": "9"])
    #expect(registry.knows("count:4") && registry.knows("hopper") && !registry.knows("cuont:4"))
    for (name, words) in [
      ("cuont:4", "no environments are found by 'cuont:', as in 'cuont:4'; did you mean 'count'?"),
      ("count:four", "no environment is called 'count:four'; known: count:NUMBER"),
      ("hoppper", "known: hopper, walker2d, half-cheetah, push-t, count:..."),
    ] {
      let error = #expect(throws: EnvironmentError.self) { try registry.make(name) }
      #expect("\(try #require(error))".contains(words))
    }
    let error = #expect(throws: EnvironmentError.self) {
      try self.registry.make("gymnasium:Ant-v5")
    }
    #expect("\(try #require(error))".hasSuffix("name an environment of 'attune environment list'"))
  }
}

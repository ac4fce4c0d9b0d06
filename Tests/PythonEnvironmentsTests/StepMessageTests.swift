import Environments
import Foundation
import PythonEnvironments
import Tensors
import Testing

@Suite(.enabled(if: FakeGymnasium.isAvailable, "needs python3 with numpy"))
struct StepMessageTests {
  /// Two processes sleep in their steps at the same time; those of one process do not.
  @Test func processesStepSideBySide() throws {
    try inTemporaryFolder { folder in
      let log = folder + "/steps"
      let vector = try LocalVectorEnvironment(count: 4, seed: 1) {
        try FakeGymnasium.make("Together-v0", ["kwargs": "{\"log\": \"\(log)\"}"])
      }
      for _ in 0..<5 { try vector.step(Tensor(repeating: 0, shape: [4, 2])) }
      let steps = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        .map { $0.split(separator: " ").compactMap { Double($0) } }
      #expect(steps.count == 20 && Set(steps.map { $0[0] }).count == 2)
      var (sideBySide, inOneProcess) = (0, 0)
      for (index, a) in steps.enumerated() {
        for b in steps[(index + 1)...] where a[1] < b[2] && b[1] < a[2] {
          if a[0] == b[0] { inOneProcess += 1 } else { sideBySide += 1 }
        }
      }
      #expect(inOneProcess == 0)
      #expect(sideBySide > 0)
    }
  }

  /// Each process waits for the other while it makes its first environment.
  @Test(arguments: [EnvironmentRegistry.Stepping.byOneVector, .byThemselves])
  func processesStartSideBySide(stepping: EnvironmentRegistry.Stepping) throws {
    try inTemporaryFolder { folder in
      let environments = try FakeGymnasium.registry.make(
        "gymnasium:Meeting-v0",
        [
          "python": FakeGymnasium.python, "workers": "2",
          "kwargs": "{\"folder\": \"\(folder)\"}",
        ], count: 5, stepping: stepping)
      #expect(environments.count == 5)
      let lanes = Set(environments.compactMap { $0.lane.map(ObjectIdentifier.init) })
      #expect(lanes.count == 2)
      for environment in environments { try environment.reset(seed: 1) }
      let first = environments[0].observation
      #expect(environments.allSatisfy { $0.observation == first })
    }
  }

  /// Rewards, observations, ends and measurements of chunks that go in one message are those of
  /// single steps.
  @Test func chunksComeToWhatTheirStepsDo() throws {
    for name in ["Point-v0", "Camera-v0"] {
      let parameters = ["timeLimit": "9", "kwargs": "{\"size\": 3}"]
      let chunked = ActionChunks(
        ObservationHistory(try FakeGymnasium.make(name, parameters), count: 2), count: 4)
      let single = ObservationHistory(try FakeGymnasium.make(name, parameters), count: 2)
      let actions = RandomActions(space: single.actionSpace, seed: 4)
      for seed in 0..<3 {
        try chunked.reset(seed: UInt64(seed))
        try single.reset(seed: UInt64(seed))
        for chunk in 0..<3 {
          let steps = (0..<4).map { actions[chunk * 4 + $0] }
          let outcome = try chunked.step(steps.flatMap { $0 })
          var expected = StepOutcome(reward: 0)
          for action in steps {
            let step = try single.step(action)
            expected.reward += step.reward
            expected.isTruncated = step.isTruncated
            expected.isTerminated = step.isTerminated
            if step.isFinished { break }
          }
          #expect(outcome == expected)
          #expect(chunked.observation == single.observation)
          let images = try single.observeImages()
          #expect(try chunked.observeImages() == images)
          #expect(chunked.info == single.info)
          #expect(
            chunked.layer(TimeLimit.self)?.stepCount == single.layer(TimeLimit.self)?.stepCount)
        }
      }
    }
  }

  /// A number that breaks within a chunk ends the episode there.
  @Test func aChunkEndsWhereItsNumbersBreak() throws {
    let environment = ActionChunks(
      try FakeGymnasium.make("Faulty-v0", ["kwargs": "{\"fault\": \"nan\"}"]), count: 8)
    try environment.reset(seed: 1)
    let outcome = try environment.step([Float](repeating: 0, count: 16))
    #expect(outcome.isTerminated && environment.info["isBroken"] == 1)
    #expect(environment.layer(EpisodeRecorder.self)?.statistics.stepCount == 3)
  }

  @Test func namedNumbersOfTheInfoAreMeasurements() throws {
    let environment = try FakeGymnasium.make("Talkative-v0", ["info": "height, isUp, right"])
    try environment.reset(seed: 1)
    #expect(environment.info.isEmpty)
    for action: Float in [1, -1, -1, -1, -1, -1, -1] {
      try environment.step([action, 1])
      let observation = environment.observation
      let info = environment.info
      #expect(info["height"].map { abs($0 - Double(observation[1])) < 1e-5 } == true)
      #expect(info["isUp"] == (observation[1] > 0 ? 1 : 0))
      #expect((info["right"] != nil) == (observation[0] > 0))
    }
    #expect(
      FakeGymnasium.words("Talkative-v0", ["info": "mood"])
        .contains("its info 'mood' is str and not a number"))
  }

  @Test func successOfTasksThatAreCountedIsTold() throws {
    let environment = try FakeGymnasium.make("Kitchen-v0", ["reward": "successOnce"])
    try environment.reset(seed: 1)
    let rewards = try (0..<3).map { _ in try environment.step([0, 0]).reward }
    #expect(rewards == [0, 1, 0] && environment.info["isSuccess"] == 1)
  }

  /// Its actions do not decide it: only its own state brings it back.
  @Test func anEnvironmentThatTellsItsStateIsRestoredByIt() throws {
    let environment = try FakeGymnasium.make("Hidden-v0", ["info": "is_success"])
    try environment.reset(seed: 1)
    for _ in 0..<3 { try environment.step([0.5, -0.5]) }
    let (saved, info) = (try environment.savedState(), environment.info)
    let seen = environment.observation
    func play(_ environment: any Environment) throws -> [[Float]] {
      try (0..<4).map { _ in
        try environment.step([0.1, 0.2])
        return environment.observation
      }
    }
    let expected = try play(environment)
    let other = try FakeGymnasium.make("Hidden-v0", ["info": "is_success"])
    try other.restore(saved)
    #expect(other.observation == seen && other.info == info)
    #expect(try other.savedState() == saved)
    #expect(try play(other) == expected)
    try environment.restore(saved)
    #expect(try play(environment) == expected)
  }

  @Test func factsTellWhereItComesFrom() throws {
    let environment = try FakeGymnasium.make("Talkative-v0", ["info": "right, wrong"])
    try environment.reset(seed: 1)
    try environment.step([0, 0])
    let python = try #require(environment.layer(PythonEnvironment.self))
    let facts = Dictionary(
      uniqueKeysWithValues: try python.facts().map { ($0.name, $0.value) })
    #expect(facts["render modes"] == "rgb_array")
    #expect(facts["success key"] == "is_success")
    #expect(facts["info keys"]?.contains("height, isUp, is_success, mood") == true)
    #expect(facts["not in its first info"]?.contains("wrong") == true)
    #expect(facts["versions"]?.contains("numpy") == true)
    #expect(facts["memory of a process"]?.hasSuffix(" MB") == true)
    #expect(python.processCount == 2)
    let speed = try EnvironmentSpeed(count: 2, seconds: 0.05) {
      try FakeGymnasium.make("Talkative-v0")
    }
    #expect(speed.stepsPerSecond > 0 && speed.words.hasSuffix(" steps a second"))
  }

  @Test func seedsThatAreIgnoredAreTold() throws {
    let report = try EnvironmentChecker {
      try FakeGymnasium.make("Point-v0", ["kwargs": "{\"ignores_seed\": true}"])
    }.run()
    #expect(
      report.problems.contains {
        $0.check == .seeding && $0.finding.hasPrefix("it ignores its seed")
      }, "\(report.problems)")
  }
}

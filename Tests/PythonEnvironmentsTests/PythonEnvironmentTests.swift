import Configuration
import Environments
import Foundation
import Media
import PythonEnvironments
import Tensors
import Testing

/// Environments of a stand-in for Gymnasium that lies in `Fixtures`; all that they need is a Python
/// with NumPy.
enum FakeGymnasium {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures").path

  static let isAvailable = run(["-c", "import numpy"])

  private static func run(_ arguments: [String]) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3"] + arguments
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  /// A Python that finds the stand-in first.
  static let python: String = {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("attune-python-\(UUID().uuidString)").path
    let text = "#!/bin/sh\nPYTHONPATH='\(folder)' PYTHONDONTWRITEBYTECODE=1 exec python3 \"$@\"\n"
    _ = FileManager.default.createFile(
      atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o755])
    return path
  }()

  static let registry: EnvironmentRegistry = {
    var registry = EnvironmentRegistry()
    for resolver in EnvironmentRegistry.Resolver.pythonEnvironments { registry.register(resolver) }
    return registry
  }()

  static func make(
    _ name: String, _ parameters: [String: String] = [:]
  ) throws -> any Environment {
    try registry.make(
      "gymnasium:\(name)", ["python": python, "workers": "2"].merging(parameters) { $1 })
  }

  /// What an environment that misbehaves says.
  static func words(
    _ name: String, _ parameters: [String: String] = [:], steps: Int = 3
  ) -> String {
    do {
      let environment = try make(name, parameters)
      try environment.reset(seed: 1)
      for _ in 0..<steps { try environment.step([0, 0]) }
      return "nothing"
    } catch {
      return "\(error)"
    }
  }
}

@Suite(.enabled(if: FakeGymnasium.isAvailable, "needs python3 with numpy"))
struct PythonEnvironmentTests {
  @Test func itKeepsThePromisesOfEnvironments() throws {
    let report = try EnvironmentChecker { try FakeGymnasium.make("Point-v0") }.run()
    #expect(report.problems.isEmpty, "\(report.problems)")
  }

  @Test func spacesLimitAndPaceAreTheEnvironments() throws {
    let environment = try FakeGymnasium.make("Point-v0")
    #expect(environment.name == "gymnasium:Point-v0")
    #expect(environment.observationSpace.names == ["observation[0]", "observation[1]"])
    #expect(environment.observationSpace.lowerBounds == [-10, -10])
    #expect(environment.actionSpace.upperBounds == [1, 1])
    #expect(environment.stepsPerSecond == 20)
    #expect(environment.layer(TimeLimit.self)?.stepLimit == 50)
    let shorter = try FakeGymnasium.make("Point-v0", ["timeLimit": "7"])
    #expect(shorter.layer(TimeLimit.self)?.stepLimit == 7)
    let limitless = try FakeGymnasium.make("Slow-v0")
    #expect(limitless.layer(TimeLimit.self) == nil)
  }

  /// Rewards and observations of Python's own arithmetic, actions clipped to their bounds.
  @Test func stepsAreThoseOfPython() throws {
    let environment = try FakeGymnasium.make("Point-v0")
    try environment.reset(seed: 5)
    // random.Random(5).uniform(-5, 5), twice
    let start = environment.observation
    #expect(abs(start[0] - 1.2290169) < 1e-5 && abs(start[1] - 2.4178699) < 1e-5, "\(start)")
    let outcome = try environment.step([-0.5, -30])
    for (now, expected) in zip(environment.observation, [start[0] - 0.5, start[1] - 1]) {
      #expect(abs(now - expected) < 1e-6)
    }
    #expect(abs(outcome.reward + (start[0] - 0.5) + (start[1] - 1)) < 1e-5)
    #expect(!outcome.isFinished)
    #expect(environment.info["isSuccess"] == 0)
  }

  @Test func successIsLatchedAndCanBeTheReward() throws {
    func play(_ parameters: [String: String]) throws -> (rewards: [Float], success: Double?) {
      let environment = try FakeGymnasium.make(
        "Point-v0", parameters.merging(["kwargs": "{\"size\": 0.4}"]) { $1 })
      try environment.reset(seed: 1)
      var rewards: [Float] = []
      for action: [Float] in [[0, 0], [0, 0], [1, 1], [1, 1]] {
        let outcome = try environment.step(action)
        rewards.append(outcome.reward)
        if outcome.isFinished { break }
      }
      return (rewards, environment.info["isSuccess"])
    }
    for (parameters, rewards, success) in [
      (["reward": "success"], [1, 1, 0, 0], 1),
      (["reward": "successOnce"], [1, 0, 0, 0], 1),
      (["reward": "success", "successRule": "last"], [1, 1, 0, 0], 0),
      (["reward": "success", "endsAtSuccess": "true"], [1], 1),
    ] as [([String: String], [Float], Double)] {
      let played = try play(parameters)
      #expect(played.rewards == rewards && played.success == success, "\(parameters)")
    }
    #expect(
      FakeGymnasium.words("Point-v0", ["reward": "success", "successKey": "won"])
        .contains("it does not say whether it succeeded: its info has is_success"))
  }

  @Test func imagesAreCamerasAndTheRestNumbers() throws {
    let environment = try FakeGymnasium.make("Camera-v0")
    #expect(environment.cameras == [Camera(name: "eye", width: 48, height: 32)])
    #expect(
      environment.observationSpace.names
        == ["mode[0]", "mode[1]", "mode[2]", "place[0]", "place[1]"])
    try environment.reset(seed: 2)
    #expect(environment.observation[0..<3].reduce(0, +) == 1)
    let images = try environment.observeImages()
    let image = try #require(images.first?.first)
    let pixel = (1 * 48 + 2) * 3
    #expect(Array(image.samples[pixel..<pixel + 6]) == [7, 0, 9, 0, 0, 9])
    let chosen = try FakeGymnasium.make("Camera-v0", ["observations": "place"])
    #expect(chosen.cameras.isEmpty && chosen.observationSpace.names == ["place[0]", "place[1]"])
  }

  /// The interface before Gym 0.26.
  @Test func oldEnvironmentsAreRead() throws {
    let (old, new) = (try FakeGymnasium.make("OldGym-v0"), try FakeGymnasium.make("Point-v0"))
    for environment in [old, new] {
      try environment.reset(seed: 9)
      try environment.step([1, -1])
    }
    #expect(old.observation == new.observation)
  }

  @Test func severalShareWorkersAndAreResumed() throws {
    func vector() throws -> any VectorEnvironment {
      try LocalVectorEnvironment(count: 5, seed: 3) {
        try FakeGymnasium.make("Point-v0", ["timeLimit": "9"])
      }
    }
    func play(_ vector: any VectorEnvironment, _ steps: Range<Int>) throws -> [[Float]] {
      try steps.map { step in
        let actions = (0..<10).map { Float(($0 + step) % 5) / 2 - 1 }
        try vector.step(Tensor(actions).reshaped(to: [5, 2]))
        return vector.observations.state.elements + vector.outcomes.map(\.reward)
      }
    }
    let first = try vector()
    _ = try play(first, 0..<15)
    let saved = try first.savedStates()
    let expected = try play(first, 15..<40)
    let resumed = try vector()
    try resumed.restore(saved)
    #expect(try play(resumed, 15..<40) == expected)
  }

  /// Restoring goes the way of the episode again, which leads elsewhere where the seed is ignored.
  @Test func ignoredSeedsAreNoticedAtResume() throws {
    let parameters = ["kwargs": "{\"ignores_seed\": true}"]
    let environment = try FakeGymnasium.make("Point-v0", parameters)
    try environment.reset(seed: 1)
    try environment.step([0, 0])
    let saved = try environment.savedState()
    #expect(throws: EnvironmentError.self) {
      try FakeGymnasium.make("Point-v0", parameters).restore(saved)
    }
  }

  /// Between episodes nothing has to be replayed: an environment that ignores its seeds is resumed.
  @Test func placesAreEnoughWhereNewEpisodesBegin() throws {
    func vector(_ kwargs: String) throws -> any VectorEnvironment {
      try LocalVectorEnvironment(count: 2, seed: 3) {
        try FakeGymnasium.make("Point-v0", ["timeLimit": "4", "kwargs": kwargs])
      }
    }
    let first = try vector("{}")
    for _ in 0..<6 { try first.step(Tensor(repeating: 0, shape: [2, 2])) }
    let places = first.savedPlaces()
    try first.startNextEpisodes()
    let resumed = try vector("{}")
    try resumed.restore(places)
    try resumed.startNextEpisodes()
    #expect(resumed.observations.state.elements == first.observations.state.elements)
    let ignorant = try vector("{\"ignores_seed\": true}")
    try ignorant.restore(places)
    try ignorant.startNextEpisodes()
    let other = try LocalVectorEnvironment(count: 2, seed: 4) {
      try FakeGymnasium.make("Point-v0")
    }
    #expect(throws: EnvironmentError.self) { try other.restore(places) }
  }

  /// Drawn by another process that goes the same way.
  @Test func itIsDrawnWhereItStands() throws {
    let environment = try FakeGymnasium.make("Point-v0")
    try environment.reset(seed: 4)
    for step in 0..<4 {
      try environment.step([step < 2 ? 1 : -1, 0])
      let image = try environment.render(width: 30, height: 20)
      let expected = Int(environment.observation[0] * 10 + 128)
      #expect(abs(Int(image.samples[0]) - expected) <= 1)
      #expect((image.width, image.height) == (30, 20))
    }
  }
}

/// Each fault is a line that names it.
@Suite(.enabled(if: FakeGymnasium.isAvailable, "needs python3 with numpy"))
struct PythonFaultTests {
  private func fault(_ name: String) -> [String: String] {
    ["kwargs": "{\"fault\": \"\(name)\"}", "stepTimeLimit": "1", "restarts": "0"]
  }

  @Test func exceptionsHaveTheirPlace() throws {
    let words = FakeGymnasium.words("Faulty-v0", fault("raise"))
    #expect(
      words.hasPrefix(
        "environment gymnasium:Faulty-v0 failed while it was to step: RuntimeError: the gripper is "
          + "stuck ("), "\(words)")
    #expect(words.contains("gymnasium.py:") && words.contains("in step)"), "\(words)")
    #expect(FakeGymnasium.words("Faulty-v0", fault("make")).contains("ValueError: no such table"))
    #expect(FakeGymnasium.words("Faulty-v0", fault("leave")).contains("SystemExit: 4"))
  }

  @Test func processesThatEndAreNamed() {
    #expect(
      FakeGymnasium.words("Faulty-v0", fault("die")).contains(
        "its Python process ended with status 5"))
  }

  @Test func hangsAreFound() {
    let words = FakeGymnasium.words("Faulty-v0", fault("hang"))
    #expect(words.contains("did not answer within 1.0 s and was killed; it was at"), "\(words)")
    #expect(words.contains("gymnasium.py") && words.contains("in step"), "\(words)")
  }

  @Test func printsReachNobody() {
    #expect(FakeGymnasium.words("Faulty-v0", fault("print"), steps: 30) == "nothing")
  }

  /// As in environments of Attune: the episode ends, and the numbers are those before.
  @Test func brokenNumbersEndTheEpisode() throws {
    let environment = try FakeGymnasium.make("Faulty-v0", fault("nan"))
    try environment.reset(seed: 1)
    var outcome = StepOutcome(reward: 0)
    for _ in 0..<3 { outcome = try environment.step([0, 0]) }
    #expect(outcome.isFinished)
    let observation = environment.observation
    #expect(observation.allSatisfy { $0.isFinite })
  }

  /// Two are made side by side and fail alike: the first one's error is told.
  @Test func severalThatFailAreOneError() throws {
    let parameters = fault("make").merging(["python": FakeGymnasium.python, "workers": "2"]) { $1 }
    let error = #expect(throws: EnvironmentError.self) {
      try FakeGymnasium.registry.make("gymnasium:Faulty-v0", parameters, count: 3)
    }
    #expect(error?.description.contains("to be made: ValueError: no such table") == true)
  }

  @Test func wrongShapesAreNamed() {
    #expect(
      FakeGymnasium.words("Faulty-v0", fault("shape")).contains(
        "the observation 'observation' has the shape [1], but its space says [2]"))
  }

  @Test func spacesThatAttuneLacksAreRefused() {
    #expect(FakeGymnasium.words("Wordy-v0").contains("'task' is of the space Text"))
    #expect(FakeGymnasium.words("Wordy-v0", ["observations": "place"]) == "nothing")
    #expect(FakeGymnasium.words("Chooser-v0").contains("diffusion policies act with real numbers"))
    #expect(FakeGymnasium.words("Unbounded-v0").contains("give the parameter 'actionBound'"))
    #expect(FakeGymnasium.words("Unbounded-v0", ["actionBound": "2"]) == "nothing")
  }

  @Test func whatIsMissingIsNamed() {
    #expect(FakeGymnasium.words("Nothing-v0").contains("no environment Nothing-v0"))
    #expect(
      FakeGymnasium.words("Point-v0", ["python": "no-such-python"]).contains("no-such-python"))
    #expect(
      FakeGymnasium.words("Point-v0", ["kwargs": "{size: 3}"]).contains(
        "expected a JSON object"))
  }
}

import DiffusionPolicies
import Environments
import Foundation
import Media
import PythonEnvironments
import Tensors
import Testing

/// The real packages, in the Python that ATTUNE_GYMNASIUM_PYTHON names: `gymnasium[mujoco]` with
/// MuJoCo below 3.4, and what else is there of robosuite and metaworld.
enum RealPython {
  static let path = ProcessInfo.processInfo.environment["ATTUNE_GYMNASIUM_PYTHON"]

  static func has(_ module: String) -> Bool {
    guard let path else { return false }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = [
      "-c", "import importlib.util as u; exit(u.find_spec('\(module)') is None)",
    ]
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  static func make(
    _ name: String, _ parameters: [String: String] = [:]
  ) throws -> any Environment {
    try FakeGymnasium.registry.make(
      name, ["python": path ?? "python3", "workers": "1"].merging(parameters) { $1 })
  }
}

private let reason: Comment = "ATTUNE_GYMNASIUM_PYTHON names no Python with the package"

@Suite struct RealGymnasiumTests {
  /// From the observation that Gymnasium starts with, rounded to float32.
  @Test(.enabled(if: RealPython.has("gymnasium"), reason))
  func hopperIsTheBuiltInOne() throws {
    let parameters = ["kwargs": "{\"exclude_current_positions_from_observation\": false}"]
    let bridged = try RealPython.make("gymnasium:Hopper-v5", parameters)
    let own = try EnvironmentRegistry.standard.make(
      "hopper", ["version": "v5", "observesPosition": "true"])
    #expect(bridged.observationSpace.count == own.observationSpace.count)
    #expect(bridged.layer(TimeLimit.self)?.stepLimit == 1000)
    let actions = RandomActions(space: own.actionSpace, seed: 1)
    var largest: Float = 0
    for seed in 0..<5 {
      try bridged.reset(seed: UInt64(seed))
      try own.reset(.state(bridged.observation.map(Double.init)))
      for step in 0..<15 {
        let outcome = try bridged.step(actions[step])
        let ownOutcome = try own.step(actions[step])
        largest = max(largest, abs(outcome.reward - ownOutcome.reward))
        for (one, other) in zip(bridged.observation, own.observation) {
          largest = max(largest, abs(one - other))
        }
        #expect(outcome.isTerminated == ownOutcome.isTerminated)
        if outcome.isFinished { break }
      }
    }
    print("Hopper-v5 by Gymnasium and by Attune: largest difference \(largest)")
    #expect(largest < 1e-4)
  }

  @Test(.enabled(if: RealPython.has("gymnasium"), reason))
  func hopperKeepsThePromisesOfEnvironments() throws {
    let report = try EnvironmentChecker { try RealPython.make("gymnasium:Hopper-v5") }.run()
    #expect(report.problems.isEmpty, "\(report.problems)")
  }

  /// Gymnasium's own vector resets single rows by their seeds: its rows are the environments that
  /// are stepped by themselves, bit by bit.
  @Test(.enabled(if: RealPython.has("gymnasium"), reason), arguments: ["sync", "async"])
  func rowsOfAVectorAreTheEnvironments(mode: String) throws {
    func play(_ environments: [any Environment]) throws -> ([[Float]], [FinishedEpisode]) {
      let vector = try LocalVectorEnvironment(
        environments.map { ActionChunks($0, count: 2) }, seed: 3)
      let actions = RandomActions(space: vector.actionSpace, seed: 1)
      var (seen, finished) = ([[Float]](), [FinishedEpisode]())
      for step in 0..<40 {
        let action = (0..<vector.count).flatMap { actions[step * vector.count + $0] }
        try action.withUnsafeBufferPointer { try vector.step($0) }
        #expect(!vector.outcomes.contains { $0.isLost })
        seen.append(vector.observations.state.elements + vector.outcomes.map(\.reward))
        finished += vector.finishedEpisodes
      }
      return (seen, finished)
    }
    let alone = try play((0..<3).map { _ in try RealPython.make("gymnasium:Hopper-v5") })
    let rows = try play(
      FakeGymnasium.registry.make(
        "gymnasium:Hopper-v5",
        [
          "python": RealPython.path ?? "python3", "vector": "true",
          "kwargs": "{\"vectorization_mode\": \"\(mode)\"}",
        ], count: 3))
    #expect(alone.0 == rows.0)
    #expect(alone.1 == rows.1 && !rows.1.isEmpty)
  }

  @Test(.enabled(if: RealPython.has("metaworld"), reason))
  func metaworldHonoursItsSeeds() throws {
    let report = try EnvironmentChecker {
      try RealPython.make("metaworld:peg-insert-side-v3", ["reward": "success"])
    }.run()
    #expect(report.problems.isEmpty, "\(report.problems)")
  }

  @Test(.enabled(if: RealPython.has("robosuite"), reason))
  func robosuiteHonoursItsSeeds() throws {
    let environment = try RealPython.make("robosuite:Lift", ["timeLimit": "20"])
    func play() throws -> [Float] {
      try environment.reset(seed: 3)
      let actions = RandomActions(space: environment.actionSpace, seed: 2)
      for step in 0..<10 { try environment.step(actions[step]) }
      return environment.observation
    }
    let first = try play()
    try environment.reset(seed: 4)
    #expect(environment.observation != first)
    #expect(try play() == first)
    #expect(environment.info["isSuccess"] == 0)
  }

  /// robosuite's images are cameras, upright as those that it draws for videos.
  @Test(.enabled(if: RealPython.has("robosuite"), reason))
  func robosuitesCamerasAreUpright() throws {
    let environment = try RealPython.make(
      "robosuite:Lift",
      [
        "kwargs": """
        {"use_camera_obs": true, "camera_names": "frontview", "camera_heights": 256, \
        "camera_widths": 256}
        """
      ])
    #expect(environment.cameras == [Camera(name: "frontview_image", width: 256, height: 256)])
    #expect(environment.observationSpace.count == 19)
    try environment.reset(seed: 3)
    let seen = try #require(try environment.observeImages().first?.first)
    let drawn = try environment.render(width: 256, height: 256)
    let differences = zip(seen.samples, drawn.samples).map { abs(Int($0) - Int($1)) }
    #expect(differences.reduce(0, +) < 2 * differences.count)
    #expect(Set(seen.samples).count > 50)
  }

  /// The scripted experts of `samples`: Meta-World's own, and one that sees what robosuite observes.
  @Test(
    .enabled(if: RealPython.has("metaworld") && RealPython.has("robosuite"), reason),
    arguments: [
      ("metaworld:reach-v3", "metaworld/expert.py:Expert", ["task": "reach-v3"], "150"),
      ("robosuite:Lift", "robosuite/lift.py:Lift", [:], "60"),
    ])
  func scriptedExpertsSucceed(
    name: String, expert: String, keywords: [String: String], timeLimit: String
  ) throws {
    let samples = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../samples").standardized.path
    let environments = try PythonExpert("python:\(samples)/\(expert)", keywords: keywords)
      .attached(to: [try RealPython.make(name, ["timeLimit": timeLimit])])
    var collected = CollectedDemonstrations()
    try DemonstrationCollector(
      environments: environments, seed: 3, actions: .clipped(noise: 0.05)
    ) { _, _ in { _, _ in try environments[0].expertAction() } }
    .collect(into: &collected, episodes: 3)
    #expect(collected.episodes.allSatisfy { $0.isSuccess == true })
    #expect(collected.demonstrations?.lengths.count == 3)
  }
}

import DiffusionPolicies
import Foundation
import TestSupport
import Testing

/// `attune policy collect --expert`, with a python3 that has NumPy; options need none.
@Suite(.serialized) struct PolicyCollectExpertTests {
  private let folder: TemporaryFolder

  private static let hasNumPy: Bool = {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", "import numpy"]
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }()

  /// A point that is to be brought to the origin, and what brings it there, or not.
  init() throws {
    folder = try TemporaryFolder()
    try folder.write(
      """
      import random
      import numpy as np

      class Box:
          def __init__(self, bound):
              self.dtype, self.shape = np.dtype(np.float32), (2,)
              self.low, self.high = np.full(2, -bound, np.float32), np.full(2, bound, np.float32)

      class Point:
          observation_space, action_space = Box(9), Box(1)

          def reset(self, seed=None):
              source = random.Random(seed)
              self.place = np.array([source.uniform(-2, 2), source.uniform(-2, 2)])
              return self.place.copy(), {}

          def step(self, action):
              self.place = self.place + action
              distance = float(np.abs(self.place).sum())
              return self.place.copy(), -distance, False, False, {"is_success": distance < 0.01}

      def make():
          return Point()
      """, to: "point.py")
    try folder.write(
      """
      import numpy as np

      class Expert:
          def __init__(self, gain=1.0, size=2, fails=None):
              self.gain, self.size, self.fails, self.seeds = gain, size, fails, 0

          def reset(self, seed):
              self.isOdd, self.isStuck = seed % 2 == 1, seed == self.fails

          def act(self, observation):
              if self.isStuck:
                  raise RuntimeError("the arm is asleep")
              if self.isOdd:
                  return np.zeros(self.size)
              return -self.gain * observation[:self.size]
      """, to: "expert.py")
  }

  private static let point = [
    "policy", "collect", "--environment", "python:point.py:make", "timeLimit=5", "workers=2",
    "successRule=last", "--expert", "python:expert.py:Expert",
  ]

  private func collect(_ arguments: String..., from call: [String] = point) throws -> ProgramOutcome
  {
    try Attune.run(call + arguments, in: folder)
  }

  @Test(.enabled(if: hasNumPy, "needs python3 with numpy"))
  func successesOfAnExpertAreWritten() throws {
    var all: [Demonstrations] = []
    for output in ["x.npz", "x.hdf5", "x"] {
      let outcome = try collect(
        "--episodes", "3", "--only-successes", "--output", output, "--json", "--quiet")
      #expect(outcome.status == 0, "\(outcome.output)")
      let report = try #require(
        try JSONSerialization.jsonObject(with: Data(outcome.standardOutput.utf8))
          as? [String: Any])
      #expect(report["episodes"] as? Int == 3 && report["steps"] as? Int == 15)
      // Seeds 0 to 4, of which odd ones fail.
      #expect(report["playedEpisodes"] as? Int == 5 && report["successRate"] as? Double == 0.6)
      all.append(try Demonstrations(contentsOf: folder.file(output)))
    }
    #expect(all.allSatisfy { $0.states == all[0].states && $0.actions == all[0].actions })
    #expect(all[0].lengths == [5, 5, 5] && all[0].actions.allSatisfy { abs($0) <= 1 })
    let words = try collect(
      "--episodes", "2", "--output", "y.npz", "expert.gain=20", "--expert-noise", "0.1")
    #expect(words.status == 0, "\(words.output)")
    #expect(words.standardOutput.contains("2 episodes, 10 steps, mean return "))
    #expect(words.standardOutput.contains("success rate "))
    #expect(words.standardError.contains("the expert's actions were outside of their bounds in "))
  }

  @Test(.enabled(if: hasNumPy, "needs python3 with numpy"))
  func anExpertActsBesideHopper() throws {
    let outcome = try collect(
      "--environment", "hopper", "timeLimit=4", "--expert", "python:expert.py:Expert",
      "expert.size=3", "--episodes", "3", "--output", "hopper.npz", "--json",
      from: ["policy", "collect"])
    #expect(outcome.status == 0, "\(outcome.output)")
    let demonstrations = try Demonstrations(contentsOf: folder.file("hopper.npz"))
    #expect(demonstrations.lengths == [4, 4, 4])
    let (states, actions) = (demonstrations.states, demonstrations.actions)
    for step in 0..<4 {
      for place in 0..<3 {
        #expect(actions[step * 3 + place] == min(max(-states[step * 11 + place], -1), 1))
      }
    }
    #expect(actions[12..<24].allSatisfy { $0 == 0 })
  }

  @Test(.enabled(if: hasNumPy, "needs python3 with numpy"))
  func collectingKeepsWhatWasBeforeAnError() throws {
    let outcome = try collect(
      "--episodes", "9", "--output", "part.npz", "expert.fails=5", "--quiet")
    expectOneLine(
      outcome, "the expert expert.py:Expert failed while it was to act: RuntimeError: the arm is ",
      "part.npz has the 4 episodes before")
    #expect(try Demonstrations(contentsOf: folder.file("part.npz")).lengths == [5, 5, 5, 5])
    let first = try collect(
      "--episodes", "9", "--output", "none.npz", "expert.fails=0", "--quiet")
    expectOneLine(first, "the arm is asleep")
    #expect(!FileManager.default.fileExists(atPath: folder.file("none.npz")))
    expectOneLine(
      try collect("--episodes", "1", "--output", "x.npz", "expert.size=1", "--quiet"),
      "its action has the shape [1], and the environment takes [2]")
    expectOneLine(
      try collect("--episodes", "1", "--output", "x.npz", "expert.size=1", "--quiet", "gain=2"),
      "gain")
  }

  @Test func optionsOfExpertsAreChecked() throws {
    try folder.writeActor()
    let hopper = ["policy", "collect", "--environment", "hopper", "--episodes", "1"]
    func expectRefusal(_ arguments: [String], _ words: String) throws {
      expectOneLine(
        try Attune.run(hopper + ["--output", "a.npz"] + arguments, in: folder), words, status: 2)
    }
    let policy = ["--policy", "actor.safetensors"]
    let expert = ["--expert", "python:expert.py:Expert"]
    try expectRefusal([], "nobody acts")
    try expectRefusal(policy + expert, "two would act")
    try expectRefusal(policy + ["--expert-noise", "0.1"], "--expert-noise is for an expert")
    try expectRefusal(policy + ["expert.gain=1"], "expert.gain is for an expert")
    try expectRefusal(policy + ["--expert-python", "p"], "--expert-python is for an expert")
    try expectRefusal(policy + ["--expert-time-limit", "1"], "--expert-time-limit is for")
    try expectRefusal(expert + ["--deterministic"], "--deterministic is for --policy")
    try expectRefusal(expert + ["--expert-noise", "-1"], "--expert-noise is -1.0")
    try expectRefusal(expert + ["--expert-time-limit", "0"], "--expert-time-limit is 0.0")
    try expectRefusal(["--expert", "expert.py"], "python:FILE.py:CLASS")
    // Hopper never tells.
    expectOneLine(
      try Attune.run(
        hopper + policy + ["--output", "a.npz", "--only-successes", "timeLimit=2", "--quiet"],
        in: folder), "does not tell whether it succeeded")
  }
}

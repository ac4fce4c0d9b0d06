import Configuration
import Environments
import Foundation
import PythonEnvironments
import Tensors
import Testing

/// Sources that step several environments at once. Their rows are walks: the place, which actions
/// move, and the number of the episode; row i ends after 5 + i steps.
@Suite(.enabled(if: FakeGymnasium.isAvailable, "needs python3 with numpy"))
struct BatchTests {
  private struct Played: Equatable {
    /// By step, then row.
    var observations: [[[Float]]] = []
    var rewards: [[Float]] = []
    var lost: [[Bool]] = []
    var finished: [FinishedEpisode] = []
  }

  private func vector(
    _ name: String, _ mode: String = "NextStep", count: Int = 3, chunk: Int = 1,
    parameters: [String: String] = [:], kwargs: String = ""
  ) throws -> LocalVectorEnvironment {
    let environments = try FakeGymnasium.registry.make(
      "gymnasium:\(name)",
      [
        "python": FakeGymnasium.python, "vector": "true",
        "kwargs": "{\"mode\": \"\(mode)\"\(kwargs)}",
      ].merging(parameters) { $1 }, count: count)
    return try LocalVectorEnvironment(
      environments.map { chunk == 1 ? $0 : ActionChunks($0, count: chunk) }, seed: 5)
  }

  private func play(_ vector: LocalVectorEnvironment, steps: Int) throws -> Played {
    var played = Played()
    for _ in 0..<steps {
      try vector.step(Tensor(repeating: 1, shape: [vector.count] + vector.actionSpace.shape))
      let reached = vector.finalObservations(of: Array(0..<vector.count)).state.elements
      played.observations.append(
        (0..<vector.count).map { Array(reached[$0 * 2..<$0 * 2 + 2]) })
      played.rewards.append(vector.outcomes.map(\.reward))
      played.lost.append(vector.outcomes.map(\.isLost))
      played.finished += vector.finishedEpisodes
    }
    return played
  }

  /// An episode's final observation is its own, each step moves by 1, and none is counted twice.
  private func expectWalks(_ played: Played, count: Int) {
    for row in 0..<count {
      var last: [Float]?
      for step in played.observations.indices {
        let now = played.observations[step][row]
        if played.lost[step][row] {
          last = nil
          continue
        }
        if let last, last[1] == now[1] { #expect(abs(now[0] - last[0] - 1) < 1e-5) }
        #expect(abs(played.rewards[step][row] - now[0]) < 1e-5)
        last = now
      }
    }
    for episode in played.finished {
      #expect(episode.statistics.stepCount == 5 + episode.environment)
    }
  }

  /// The step after an end is a reset: that decision is lost and nobody learns from it.
  @Test func nextStepResetsLoseADecision() throws {
    let vector = try vector("Vector-v0")
    #expect(vector.environments[0].layer(TimeLimit.self) == nil)
    let played = try play(vector, steps: 24)
    expectWalks(played, count: 3)
    for row in 0..<3 {
      let lost = played.lost.indices.filter { played.lost[$0][row] }
      #expect(lost == Array(stride(from: 5 + row, to: 24, by: 6 + row)))
    }
    #expect(played.finished.count == 4 + 3 + 3)
  }

  @Test func sameStepResetsLoseNothing() throws {
    let played = try play(try vector("Vector-v0", "SameStep"), steps: 24)
    expectWalks(played, count: 3)
    #expect(!played.lost.joined().contains(true))
    #expect(played.finished.count == 4 + 4 + 3)
    #expect(played.finished.allSatisfy { $0.statistics.isSuccess == true })
  }

  /// Gymnasium's own vectors reset single rows: an episode depends on its seed, not on the others.
  @Test(arguments: ["NextStep", "SameStep", "Disabled"])
  func rowsThatCanBeResetHaveTheirOwnSeeds(mode: String) throws {
    let (many, few) = (
      try play(try vector("Sync-v0", mode, count: 4, chunk: 2), steps: 20),
      try play(try vector("Sync-v0", mode, count: 2, chunk: 2), steps: 20)
    )
    #expect(!many.lost.joined().contains(true))
    #expect(many.observations.map { $0[0][0] } == few.observations.map { $0[0][0] })
    #expect(many.observations.map { $0[1][0] } == few.observations.map { $0[1][0] })
    for episode in many.finished {
      #expect(episode.statistics.stepCount == 5 + episode.environment)
    }
  }

  /// EnvPool's step takes the rows that are named, and gives them in another order.
  @Test func rowsThatAreSteppedAloneLoseNothing() throws {
    for chunk in [1, 3] {
      let played = try play(try vector("Pool-v0", chunk: chunk), steps: 24)
      #expect(!played.lost.joined().contains(true))
      if chunk == 1 { expectWalks(played, count: 3) }
      for episode in played.finished {
        #expect(episode.statistics.stepCount == 5 + episode.environment)
      }
    }
  }

  /// A row whose episode ends within a chunk rests until the chunk of the others is over: its next
  /// episode begins that many steps in.
  @Test func rowsRestUntilTheChunkIsOver() throws {
    // Row 0 ends at the first step of the second chunk; row 4, of 9 steps, in the third one. With the
    // reset among the three steps until then, row 0 rests for two.
    for (mode, rest) in [("NextStep", 2), ("SameStep", 3)] {
      let played = try play(try vector("Vector-v0", mode, count: 5, chunk: 4), steps: 20)
      let lengths = played.finished.filter { $0.environment == 0 }.map(\.statistics.stepCount)
      #expect(lengths.prefix(2) == [5, 5 - rest])
      #expect(played.lost.prefix(3).allSatisfy { !$0[0] })
    }
  }

  /// Rows of one length, which a seed resets together.
  @Test func rowsThatEndTogetherAreResetTogether() throws {
    let vector = try vector("Vector-v0", kwargs: ", \"stagger\": 0")
    let played = try play(vector, steps: 20)
    #expect(!played.lost.joined().contains(true))
    #expect(played.finished.count == 12)
    #expect(played.finished.allSatisfy { $0.statistics.stepCount == 5 })
  }

  /// One seed decides everything from the first reset on.
  @Test func aBatchIsReproducible() throws {
    let played = try (0..<2).map { _ in try play(try vector("Vector-v0", chunk: 2), steps: 15) }
    #expect(played[0] == played[1])
  }

  @Test func aBatchBeginsNewEpisodesWhereItIsResumed() throws {
    let first = try vector("Vector-v0")
    _ = try play(first, steps: 3)
    let resumed = try vector("Vector-v0")
    try resumed.restore(try first.savedStates())
    let played = try play(resumed, steps: 20)
    #expect(played.lost[0] == [true, true, true])
    expectWalks(played, count: 3)
  }

  @Test func allNextEpisodesCanBeStarted() throws {
    for name in ["Vector-v0", "Sync-v0", "Pool-v0"] {
      let vector = try vector(name)
      _ = try play(vector, steps: 3)
      try vector.startNextEpisodes()
      let played = try play(vector, steps: 12)
      #expect(played.observations[0][2][1] == 1 || name == "Pool-v0")
      expectWalks(played, count: 3)
    }
  }

  @Test func aBatchWhoseProcessDiesIsStartedAnew() throws {
    try inTemporaryFolder { folder in
      let vector = try vector("Vector-v0", kwargs: ", \"dies\": \"\(folder)/died\"")
      let played = try play(vector, steps: 20)
      #expect(vector.restartCount == 1)
      #expect(played.lost[3] == [true, true, true])
      expectWalks(played, count: 3)
    }
  }

  /// An environment alone is a vector of one row, which a seed resets.
  @Test func oneRowIsAnEnvironment() throws {
    for mode in ["NextStep", "SameStep"] {
      let report = try EnvironmentChecker {
        try FakeGymnasium.make(
          "Vector-v0",
          [
            "vector": "true", "kwargs": "{\"mode\": \"\(mode)\", \"counts\": false}",
            "timeLimit": "20",
          ])
      }.run()
      #expect(report.problems.isEmpty, "\(report.problems)")
    }
  }

  @Test func whatAVectorCannotDoIsRefused() throws {
    func words(_ body: () throws -> Void) -> String {
      do {
        try body()
        return "nothing"
      } catch {
        return "\(error)"
      }
    }
    #expect(words { _ = try vector("Vector-v0", "Disabled") }.contains("resets no row by itself"))
    #expect(
      words {
        let vector = try vector("Vector-v0", count: 8, parameters: ["endsAtSuccess": "true"])
        try vector.step(Tensor(repeating: 0, shape: [8, 1]))
      }
      .contains("it cannot reset one row"))
    #expect(
      words { _ = try vector("Vector-v0", parameters: ["terminates": "false"]) }
        .contains("true with vector: true"))
    #expect(
      words {
        _ = try FakeGymnasium.registry.make(
          "python:x.py:make", ["vector": "true", "timeLimit": "9"], count: 2)
      }.contains("give the limit to the environment"))
  }
}

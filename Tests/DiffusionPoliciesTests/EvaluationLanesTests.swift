import Environments
import Foundation
import Synchronization
import Testing

@testable import DiffusionPolicies

/// Keeps which threads come to the environments of a lane, and how visits begin and end.
private final class VisitedLane: EnvironmentLane, Sendable {
  struct Visits {
    var threads: Set<ObjectIdentifier> = []
    var (begun, ended) = (0, 0)
  }
  let visits = Mutex(Visits())
  var restartCount: Int { 0 }

  func beginVisit(of count: Int) { visits.withLock { $0.begun += 1 } }
  func endVisit() { visits.withLock { $0.ended += 1 } }
}

/// The target task in one of two lanes.
private final class LanedTarget: EnvironmentWrapper {
  let base: any Environment = TargetEnvironment()
  private let visited: VisitedLane
  init(_ lane: VisitedLane) { visited = lane }

  var lane: (any EnvironmentLane)? { visited }

  private func note() {
    let thread = ObjectIdentifier(Thread.current)
    visited.visits.withLock { _ = $0.threads.insert(thread) }
  }

  func reset(_ start: EpisodeStart) throws {
    note()
    try base.reset(start)
  }

  func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    note()
    return try base.step(action)
  }
}

@Suite struct EvaluationLanesTests {
  /// An evaluation resets and steps its environments on the thread of their lane, never on its own,
  /// and comes to what it comes to without lanes.
  @Test func episodesArePlayedOnTheirLanes() throws {
    let lanes = [VisitedLane(), VisitedLane()]
    let made = Mutex(0)
    var registry = EnvironmentRegistry()
    registry.register(
      .init(name: "target", summary: "a point on a line", timeLimit: 12) { _ in
        let number = made.withLock { count in
          count += 1
          return count
        }
        return LanedTarget(lanes[number % 2])
      })
    let checkpoint = try TargetTraining.start()
    let policy = try checkpoint.makePolicy()
    let laned = try PolicyEvaluation(
      PolicyEnvironment(
        checkpoint.configuration, normalization: TargetTraining.normalization, registry: registry),
      seed: 9, sideBySide: 4
    ).play(policy, episodeCount: 11)
    let native = try PolicyEvaluation(
      TargetTraining.environment(checkpoint.configuration), seed: 9, sideBySide: 4
    ).play(policy, episodeCount: 11)
    #expect(laned == native)
    let here = ObjectIdentifier(Thread.current)
    let visits = lanes.map { $0.visits.withLock { $0 } }
    for visit in visits {
      #expect(visit.threads.count == 1 && !visit.threads.contains(here))
      #expect(visit.begun == visit.ended && visit.begun > 6)
    }
    #expect(visits[0].threads != visits[1].threads)
  }
}

import Media

/// Looks for what is wrong with an environment.
///
/// It plays short episodes with random actions and checks what the protocol promises: spaces that
/// hold what is shown, trajectories that a seed decides, states that can be saved and taken back,
/// endings where numbers break, images of the size asked for.
public struct EnvironmentChecker {
  /// The result of a check.
  public struct Report: Sendable {
    /// The name of what was checked.
    public var environment: String
    /// What was checked and found right, in order.
    public var passed: [String] = []
    /// What is wrong: one line each, naming the check and what was found.
    public var problems: [Problem] = []

    /// Whether nothing is wrong.
    public var isValid: Bool { problems.isEmpty }
  }

  /// Something wrong.
  public struct Problem: Equatable, Sendable, CustomStringConvertible {
    /// The promise that is broken.
    public var check: Check
    /// What was found where.
    public var finding: String

    /// The promise and the finding in one line.
    public var description: String { "\(check.rawValue): \(finding)" }
  }

  /// The promises, in the order of their checks.
  public enum Check: String, CaseIterable, Sendable {
    case spaces
    case observations
    case seeding
    case independence = "episodes are independent"
    case saving = "saving and restoring"
    case brokenNumbers = "numbers that are not finite"
    case images
  }

  /// Steps in a test episode.
  public var stepCount = 60
  /// The seed of the test episodes.
  public var seed: UInt64 = 0

  let make: () throws -> any Environment

  /// Checks environments that `make` makes; they must all be alike.
  public init(_ make: @escaping () throws -> any Environment) { self.make = make }

  /// Runs all checks.
  ///
  /// - Throws: what `make` throws, and `EnvironmentError.failed` of an environment that dies.
  public func run() throws -> Report {
    var report = Report(environment: try make().name)
    for check in Check.allCases {
      let findings = try self.findings(of: check)
      report.problems += findings.map { Problem(check: check, finding: $0) }
      if findings.isEmpty { report.passed.append(check.rawValue) }
      // The other checks play episodes, which needs valid spaces.
      if check == .spaces, !findings.isEmpty { break }
    }
    return report
  }

  private func findings(of check: Check) throws -> [String] {
    switch check {
    case .spaces: spaceFindings(try make())
    case .observations: try observationFindings(try make())
    case .seeding: try seedingFindings()
    case .independence: try independenceFindings()
    case .saving: try savingFindings()
    case .brokenNumbers: try brokenNumberFindings(try make())
    case .images: try imageFindings(try make())
    }
  }

  /// Plays an episode of random actions, from the environment's present state on.
  ///
  /// - Parameter visit: called before each step.
  func play(
    _ environment: any Environment, actions: RandomActions, steps: Range<Int>,
    visit: (Int) throws -> Void
  ) throws -> Trajectory {
    var trajectory = Trajectory()
    func observe() throws {
      trajectory.observations.append(environment.observation)
      if !environment.cameras.isEmpty {
        trajectory.images.append(try environment.observeImages())
      }
    }
    try observe()
    for step in steps {
      try visit(step)
      let outcome = try environment.step(actions[step])
      if outcome.isLost { throw EnvironmentError.lost(environment.name, step: step) }
      trajectory.outcomes.append(outcome)
      try observe()
      if trajectory.outcomes.last?.isFinished ?? false { break }
    }
    return trajectory
  }

  func play(
    _ environment: any Environment, actions: RandomActions, steps: Range<Int>
  ) throws -> Trajectory {
    try play(environment, actions: actions, steps: steps) { _ in }
  }

  /// What happened in an episode.
  struct Trajectory: Equatable {
    var observations: [[Float]] = []
    var images: [[[Image]]] = []
    var outcomes: [StepOutcome] = []

    /// The first step after which two trajectories differ in a bit, or nil.
    func firstDifference(from other: Trajectory) -> Int? {
      let count = max(observations.count, other.observations.count)
      return (0..<count).first { index in
        guard index < observations.count, index < other.observations.count else { return true }
        let isSame = zip(observations[index], other.observations[index])
          .allSatisfy { $0.bitPattern == $1.bitPattern }
        guard isSame, observations[index].count == other.observations[index].count else {
          return true
        }
        if index < images.count, index < other.images.count, images[index] != other.images[index] {
          return true
        }
        guard index > 0 else { return false }
        let (mine, theirs) = (outcomes[index - 1], other.outcomes[index - 1])
        return mine.reward.bitPattern != theirs.reward.bitPattern
          || mine.isTerminated != theirs.isTerminated || mine.isTruncated != theirs.isTruncated
      }
    }
  }
}

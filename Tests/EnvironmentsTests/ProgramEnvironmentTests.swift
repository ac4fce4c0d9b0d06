import Environments
import Programs
import Tensors
import Testing

/// A point on a line whose simulation is another program: all that such an environment takes.
private final class ProgramLine: ReplayedEnvironment {
  /// It burns when it is pushed by 13.
  static let simulation = """
    while read -r request number; do
      case $request in
        reset) place=$number ;;
        step)
          if [ "$number" = 13 ]; then echo 'the motor burned' >&2; exit 3; fi
          place=$((place + number)) ;;
      esac
      echo "$place"
    done
    """

  let name = "line"
  let observationSpace = BoxSpace(names: ["place"], bounds: -1e6...1e6)
  let actionSpace = BoxSpace(names: ["push"], bounds: -10...10)
  let stepsPerSecond = 10.0
  private(set) var history = EpisodeHistory(from: .seed(0))
  private let program: Program
  private var place: Float = 0

  init() throws { program = try Program(["/bin/sh", "-c", Self.simulation]) }

  func reset(_ start: EpisodeStart) throws {
    history.begin(from: start)
    guard case .seed(let seed) = start else { preconditionFailure("\(name) starts from seeds") }
    place = try answer(to: "reset \(seed % 100)")
  }

  func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    history.append(action)
    place = try answer(to: "step \(Int(min(max(action[0], -20), 20)))")
    return StepOutcome(reward: -abs(place), isTerminated: abs(place) > 1000)
  }

  func observe(into observation: UnsafeMutableBufferPointer<Float>) { observation[0] = place }

  private func answer(to request: String) throws -> Float {
    do {
      try program.send(line: request)
      let line = try program.receiveLine()
      guard let number = Float(line) else {
        throw EnvironmentError.failed(
          environment: name, doing: request, reason: "its program answered '\(line)', not a number")
      }
      return number
    } catch let error as ProgramError {
      throw EnvironmentError.failed(environment: name, doing: request, reason: "\(error)")
    }
  }
}

/// An environment in another process is one file and one line in a registry.
@Suite struct ProgramEnvironmentTests {
  private let registry: EnvironmentRegistry = {
    var registry = EnvironmentRegistry()
    registry.register(
      .init(name: "line", summary: "", timeLimit: 50) { _ in try ProgramLine() })
    return registry
  }()

  @Test func itKeepsThePromisesOfEnvironments() throws {
    let report = try EnvironmentChecker { try registry.make("line") }.run()
    #expect(report.problems.isEmpty, "\(report.problems)")
  }

  @Test func severalAreSteppedSideBySideAndResumed() throws {
    func vector() throws -> any VectorEnvironment {
      try LocalVectorEnvironment(count: 3, seed: 2) { try registry.make("line") }
    }
    func play(_ vector: any VectorEnvironment, _ steps: Range<Int>) throws -> [[Float]] {
      try steps.map { step in
        try vector.step(Tensor([Float(step % 7), 1, -3]).reshaped(to: [3, 1]))
        return vector.observations.state.elements + vector.outcomes.map(\.reward)
      }
    }
    let first = try vector()
    _ = try play(first, 0..<20)
    let saved = try first.savedStates()
    let expected = try play(first, 20..<70)
    let resumed = try vector()
    try resumed.restore(saved)
    #expect(try play(resumed, 20..<70) == expected)
  }

  /// It is not taken for an episode that ended, and what the program said is not lost.
  @Test func aProgramThatDiesIsAnErrorWithItsWords() throws {
    let environment = try registry.make("line")
    try environment.reset(seed: 5)
    try environment.step([3])
    #expect(environment.observation == [8])
    for _ in 0..<2 {
      let error = #expect(throws: EnvironmentError.self) { try environment.step([13]) }
      let text = "\(try #require(error))"
      #expect(text.hasPrefix("environment line failed while it was to step 13: program '/bin/sh"))
      #expect(text.hasSuffix("ended with status 3; it said: the motor burned"))
    }
  }
}

/// What an environment is like: sizes, limits and how fast it is.
public struct EnvironmentFacts: Sendable {
  /// Names with their values, in the order to show them in.
  public private(set) var lines: [(name: String, value: String)] = []

  /// Looks at an environment, and steps it with random actions for a while.
  ///
  /// - Parameters:
  ///   - environment: is reset.
  ///   - seconds: how long it is stepped.
  /// - Throws: what its reset and step throw.
  public init(_ environment: any Environment, seconds: Double = 1) throws {
    let cameras = environment.cameras.map { "\($0.name) \($0.width)x\($0.height)" }
    add("observation", "\(environment.observationSpace.count) numbers")
    if !cameras.isEmpty { add("cameras", cameras.joined(separator: ", ")) }
    add("action", "\(environment.actionSpace.count) numbers")
    add(
      "time limit",
      environment.layer(TimeLimit.self).map { "\($0.stepLimit) steps" } ?? "none")
    add("pace", "\(environment.stepsPerSecond.rounded(toPlaces: 3)) steps in a simulated second")

    let actions = RandomActions(space: environment.actionSpace, seed: 0)
    let begin = ContinuousClock.now
    var (count, episode) = (0, UInt64(0))
    try environment.reset(seed: 0)
    while ContinuousClock.now - begin < .seconds(seconds) {
      if try environment.step(actions[count]).isFinished {
        episode += 1
        try environment.reset(seed: episode)
      }
      count += 1
    }
    let spent = (ContinuousClock.now - begin) / .seconds(1)
    add("speed", "\(Int((Double(count) / spent).rounded())) steps a second in one environment")
    let success = environment.info["isSuccess"] != nil
    add("success", success ? "is told (isSuccess)" : "is not told")
  }

  private mutating func add(_ name: String, _ value: String) { lines.append((name, value)) }
}

/// How fast environments are side by side.
public struct EnvironmentSpeed: Sendable {
  /// All of them together.
  public let stepsPerSecond: Double

  /// Steps a vector of environments with random actions for a while.
  ///
  /// - Parameters:
  ///   - count: of the environments.
  ///   - seconds: how long they are stepped.
  ///   - make: makes one.
  /// - Throws: what making and stepping them throws.
  public init(count: Int, seconds: Double = 1, make: () throws -> any Environment) throws {
    let vector = try LocalVectorEnvironment(count: count, seed: 0, make: make)
    let actions = RandomActions(space: vector.actionSpace, seed: 0)
    let begin = ContinuousClock.now
    var steps = 0
    while ContinuousClock.now - begin < .seconds(seconds) {
      let action = (0..<count).flatMap { actions[steps + $0] }
      try action.withUnsafeBufferPointer { try vector.step($0) }
      steps += count
    }
    stepsPerSecond = Double(steps) / ((ContinuousClock.now - begin) / .seconds(1))
  }

  /// As in "800 steps a second".
  public var words: String { "\(Int(stepsPerSecond.rounded())) steps a second" }
}

extension Double {
  fileprivate func rounded(toPlaces places: Int) -> Double {
    let factor = (0..<places).reduce(1.0) { factor, _ in factor * 10 }
    return (self * factor).rounded() / factor
  }
}

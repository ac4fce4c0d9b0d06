/// Ends an episode in which a number is not finite, and keeps that number from the caller.
///
/// The episode terminates with reward 0 and the last good observation: what a broken simulator
/// would have paid later is unknown, so nothing is assumed to follow.
public final class FiniteGuard: EnvironmentWrapper {
  /// The environment inside.
  public let base: any Environment
  /// What the caller sees while the base's own observation is unusable, or what it saw last.
  private let lastGood: UnsafeMutableBufferPointer<Float>
  private let scratch: UnsafeMutableBufferPointer<Float>
  private var isBroken = false
  private let warn: (String) -> Void

  /// Guards an environment; `warn` takes one line for each episode that breaks.
  public init(
    _ base: any Environment, warn: @escaping (String) -> Void = EnvironmentWarnings.print
  ) {
    self.base = base
    self.warn = warn
    lastGood = .allocate(capacity: base.observationSpace.count)
    lastGood.initialize(repeating: 0)
    scratch = .allocate(capacity: base.observationSpace.count)
    scratch.initialize(repeating: 0)
  }

  deinit {
    lastGood.deallocate()
    scratch.deallocate()
  }

  /// The base's finite measurements, and `isBroken` = 1 once the episode broke.
  public var info: [String: Double] {
    guard isBroken else { return base.info }
    return base.info.filter(\.value.isFinite).merging(["isBroken": 1]) { _, new in new }
  }

  /// Passes on the actions before the first that is not finite.
  public func prepare(_ actions: UnsafeBufferPointer<Float>) {
    guard !isBroken else { return }
    let finite = actions.prefix(while: \.isFinite).count
    let count = finite / actionSpace.count * actionSpace.count
    base.prepare(UnsafeBufferPointer(rebasing: actions[..<count]))
  }

  /// Starts an episode afresh, broken only if its first observation is.
  public func reset(_ start: EpisodeStart) throws {
    try base.reset(start)
    isBroken = false
    keepObservation(doing: "reset to \(start)")
  }

  /// Steps the base unless something is not finite: then the episode is over.
  public func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    let broken = StepOutcome(reward: 0, isTerminated: true)
    // Once broken, always broken: the simulator may go on from nowhere in particular.
    if isBroken { return broken }
    guard action.allSatisfy(\.isFinite) else {
      isBroken = true
      warn("environment \(name): an action is not finite; the episode ends")
      return broken
    }
    let outcome = try base.step(action)
    // What is shown then is no observation.
    if outcome.isLost { return outcome }
    keepObservation(doing: "step")
    if !isBroken, !outcome.reward.isFinite {
      isBroken = true
      warn("environment \(name): the reward is \(outcome.reward); the episode ends")
    }
    return isBroken ? broken : outcome
  }

  /// Writes the last observation whose numbers were all finite.
  public func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    _ = observation.update(fromContentsOf: lastGood)
  }

  /// Appends this layer's part, then the base's.
  public func save(to state: inout EnvironmentState) throws {
    state.appendTag("finite guard")
    state.append(isBroken)
    state.append(contentsOf: lastGood)
    try base.save(to: &state)
  }

  /// Takes back this layer's part, then the base's.
  public func restore(from reader: inout EnvironmentState.Reader) throws {
    try reader.readTag("finite guard")
    isBroken = try reader.readFlag()
    let observation = try reader.readFloats(expectedCount: lastGood.count)
    try base.restore(from: &reader)
    _ = lastGood.update(fromContentsOf: observation)
  }

  private func keepObservation(doing action: String) {
    base.observe(into: scratch)
    if let index = scratch.firstIndex(where: { !$0.isFinite }) {
      isBroken = true
      let names = base.observationSpace.names
      let component = names.isEmpty ? "element \(index)" : names[index % names.count]
      warn(
        "environment \(name): after \(action), '\(component)' of the observation is "
          + "\(scratch[index]); the episode ends")
    } else {
      _ = lastGood.update(fromContentsOf: scratch)
    }
  }
}

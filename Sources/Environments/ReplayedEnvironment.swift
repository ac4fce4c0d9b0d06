/// The way to the present state of an environment: where its episode started, and every action
/// since.
public struct EpisodeHistory: Equatable, Sendable {
  /// Where the episode started.
  public private(set) var start: EpisodeStart
  /// The actions since, one after another.
  public private(set) var actions: [Float] = []

  /// An episode that has just started.
  public init(from start: EpisodeStart) { self.start = start }

  /// Begins another episode.
  public mutating func begin(from start: EpisodeStart) {
    self.start = start
    actions.removeAll(keepingCapacity: true)
  }

  /// Adds the action of a step.
  public mutating func append(_ action: UnsafeBufferPointer<Float>) {
    actions.append(contentsOf: action)
  }
}

/// An environment whose state is saved as the way to it, and restored by going that way again.
///
/// It serves any environment that its seed and its actions decide, whether its state can be read
/// or not: a simulator with hidden memory, a program without a way to ask for its state. Restoring
/// an episode takes as long as playing it.
public protocol ReplayedEnvironment: Environment {
  /// The way to the present state: begun by every reset, continued by every step.
  var history: EpisodeHistory { get }
}

extension ReplayedEnvironment {
  private var layerTag: String {
    "replay of \(name) \(observationSpace.shape) \(actionSpace.shape)"
  }

  /// Appends the way to the present state, and a checksum of the present observation.
  public func save(to state: inout EnvironmentState) throws { saveHistory(to: &state) }

  /// Goes the way to a saved state.
  ///
  /// - Throws: as `restoreHistory(from:)`.
  public func restore(from reader: inout EnvironmentState.Reader) throws {
    try restoreHistory(from: &reader)
  }

  /// Appends the way to the present state, and a checksum of the present observation.
  public func saveHistory(to state: inout EnvironmentState) {
    state.appendTag(layerTag)
    switch history.start {
    case .seed(let seed):
      state.append(false)
      state.append(seed)
    case .state(let values):
      state.append(true)
      state.append(contentsOf: values)
    }
    state.append(contentsOf: history.actions)
    state.append(observationChecksum)
  }

  /// Resets to the start of a saved episode and takes its actions again.
  ///
  /// - Throws: `EnvironmentError.stateMismatch` if another kind of environment saved it,
  ///   `.replayDiffers` if the same actions lead elsewhere, and what `reset` and `step` throw.
  public func restoreHistory(from reader: inout EnvironmentState.Reader) throws {
    let (saved, checksum) = try readSaved(from: &reader)
    let size = actionSpace.count
    // An environment that dies on the way and can be started anew has to go all of it again; it
    // throws when it has died too often.
    while try !replay(saved, size: size) {}
    guard observationChecksum == checksum else {
      throw EnvironmentError.replayDiffers(
        environment: name, stepCount: saved.actions.count / size)
    }
  }

  /// Reads a saved history without going its way, for an environment that has a shorter one.
  public func readHistory(from reader: inout EnvironmentState.Reader) throws -> EpisodeHistory {
    try readSaved(from: &reader).history
  }

  private func readSaved(
    from reader: inout EnvironmentState.Reader
  ) throws -> (history: EpisodeHistory, checksum: UInt64) {
    try reader.readTag(layerTag)
    var history = EpisodeHistory(
      from: try reader.readFlag()
        ? .state(try reader.readDoubles(expectedCount: startingStateNames.count))
        : .seed(try reader.readWord()))
    let actions = try reader.readFloats()
    guard actions.count.isMultiple(of: actionSpace.count) else {
      throw EnvironmentError.stateMismatch(layer: name)
    }
    actions.withUnsafeBufferPointer { history.append($0) }
    return (history, try reader.readWord())
  }

  /// - Returns: whether the episode was not lost on the way.
  private func replay(_ history: EpisodeHistory, size: Int) throws -> Bool {
    try reset(history.start)
    return try history.actions.withUnsafeBufferPointer { actions in
      for start in stride(from: 0, to: actions.count, by: size) {
        let action = UnsafeBufferPointer(rebasing: actions[start..<start + size])
        if try step(action).isLost { return false }
      }
      return true
    }
  }

  /// FNV-1a over the bits of the observation.
  private var observationChecksum: UInt64 {
    observation.reduce(0xcbf2_9ce4_8422_2325) {
      ($0 ^ UInt64($1.bitPattern)) &* 0x100_0000_01b3
    }
  }
}

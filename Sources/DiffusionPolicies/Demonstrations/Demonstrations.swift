import Files
import Tensors

/// Episodes to learn from, laid end to end as in DPPO's files.
public struct Demonstrations: Sendable {
  /// Observations before each step, `Do` to a row.
  public var states: [Float] = []
  /// Actions of each step, `Da` to a row.
  public var actions: [Float] = []
  /// What each step earned; empty if that is not known.
  public var rewards: [Float] = []
  /// Whether the task itself ended with the step; a time-out is no terminal.
  public var terminals: [Bool] = []
  /// The number of steps of each episode.
  public var lengths: [Int] = []
  /// What a reader left out of its file or read otherwise than it lies there, one sentence each.
  public var notes: [String] = []
  /// The episodes that the file keeps for validation, ascending. `append` and `episodes` forget
  /// them.
  public var validationEpisodes: [Int] = []
  /// The environment that they were recorded in, as the file calls it; nil if it does not say.
  public var recordedEnvironment: String?
  /// Whether the whole file looks as if it had been normalized already.
  public internal(set) var looksNormalized = false
  /// `Do`
  public let stateSize: Int
  /// `Da`
  public let actionSize: Int

  /// No episodes yet.
  public init(stateSize: Int, actionSize: Int) {
    self.stateSize = stateSize
    self.actionSize = actionSize
  }

  /// The number of steps of all episodes.
  public var stepCount: Int { actions.count / actionSize }

  /// The undiscounted return of each episode; empty if rewards are not known.
  public var returns: [Double] {
    guard !rewards.isEmpty else { return [] }
    return steps.map { rewards[$0].reduce(0) { $0 + Double($1) } }
  }

  /// The steps of each episode.
  var steps: [Range<Int>] {
    var start = 0
    return lengths.map { length in
      defer { start += length }
      return start..<(start + length)
    }
  }

  /// Adds the episodes of others after these. Rewards are forgotten unless both have them.
  public mutating func append(_ other: Demonstrations) {
    precondition(
      stateSize == other.stateSize && actionSize == other.actionSize,
      "demonstrations of sizes \((other.stateSize, other.actionSize)) after "
        + "\((stateSize, actionSize))")
    let haveRewards =
      rewards.count == stepCount && other.rewards.count == other.stepCount
    states += other.states
    actions += other.actions
    rewards = haveRewards ? rewards + other.rewards : []
    terminals += other.terminals
    lengths += other.lengths
    notes += other.notes
    validationEpisodes = []
  }

  /// Writes DPPO's npz: `states`, `actions`, `traj_lengths`, `terminals`, and `rewards` if known.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(to path: String) throws(FileError) {
    var tensors = [
      "states": StoredTensor(Tensor(shape: [stepCount, stateSize], elements: states)),
      "actions": StoredTensor(Tensor(shape: [stepCount, actionSize], elements: actions)),
      "terminals": StoredTensor(shape: [stepCount], booleans: terminals),
      "traj_lengths": StoredTensor(shape: [lengths.count], integers: lengths),
    ]
    if !rewards.isEmpty { tensors["rewards"] = StoredTensor(Tensor(rewards)) }
    try NPZFile.write(tensors, to: path, isCompressed: true)
  }
}

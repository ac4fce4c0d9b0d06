import Files
import Tensors

/// Episodes to learn from, laid end to end as in DPPO's files.
public struct Demonstrations: Sendable {
  /// Observations before each step, `Do` to a row.
  public var states: [Float] = []
  /// Actions of each step, `Da` to a row.
  public var actions: [Float] = []
  /// What each step earned.
  public var rewards: [Float] = []
  /// Whether the task itself ended with the step; a time-out is no terminal.
  public var terminals: [Bool] = []
  /// The number of steps of each episode.
  public var lengths: [Int] = []
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
  public var stepCount: Int { rewards.count }

  /// The undiscounted return of each episode.
  public var returns: [Double] {
    var start = 0
    return lengths.map { length in
      defer { start += length }
      return rewards[start..<(start + length)].reduce(0) { $0 + Double($1) }
    }
  }

  /// Adds the episodes of others after these.
  public mutating func append(_ other: Demonstrations) {
    precondition(
      stateSize == other.stateSize && actionSize == other.actionSize,
      "demonstrations of sizes \((other.stateSize, other.actionSize)) after "
        + "\((stateSize, actionSize))")
    states += other.states
    actions += other.actions
    rewards += other.rewards
    terminals += other.terminals
    lengths += other.lengths
  }

  /// Writes DPPO's npz: `states`, `actions`, `traj_lengths`, `rewards`, `terminals`.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(to path: String) throws(FileError) {
    let tensors = [
      "states": StoredTensor(Tensor(shape: [stepCount, stateSize], elements: states)),
      "actions": StoredTensor(Tensor(shape: [stepCount, actionSize], elements: actions)),
      "rewards": StoredTensor(Tensor(rewards)),
      "terminals": StoredTensor(shape: [stepCount], booleans: terminals),
      "traj_lengths": StoredTensor(shape: [lengths.count], integers: lengths),
    ]
    try NPZFile.write(tensors, to: path, isCompressed: true)
  }
}

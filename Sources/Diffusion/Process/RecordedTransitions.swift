import Tensors

/// Transitions of many chains in one batch, in any mixture of samples and denoising steps.
public struct RecordedTransitions: Sendable {
  /// The states before `[M, ...]`.
  public let states: Tensor
  /// The states after `[M, ...]`.
  public let nextStates: Tensor
  /// Where each transition stands among the sampler's time steps.
  public let indices: Broadcast<Int>
  /// The sample that each transition belongs to, to gather conditions, advantages and so on by.
  public let sampleRows: [Int]
  /// The place of each transition among its chain's kept ones: 0 is the noisiest.
  public let positions: [Int]

  /// Picks transitions by number, sample times K' plus position, so that a minibatch is a range of
  /// a random permutation of all N K' of them.
  ///
  /// - Parameters:
  ///   - transitions: which transitions of which samples.
  ///   - stackedStates: `[N, K' + 1, ...]`
  ///   - firstIndex: the first kept transition's index among the sampler's time steps.
  public init(stackedStates: Tensor, firstIndex: Int, transitions: some Sequence<Int>) {
    precondition(
      stackedStates.rank >= 2 && stackedStates.shape[1] >= 2,
      "states of shape \(stackedStates.shape) hold no transition: [N, K' + 1, ...] is expected")
    let (sampleCount, stateCount) = (stackedStates.shape[0], stackedStates.shape[1])
    let transitionCount = stateCount - 1
    let transitions = Array(transitions)
    sampleRows = transitions.map { $0 / transitionCount }
    positions = transitions.map { $0 % transitionCount }
    let shape = [sampleCount * stateCount] + stackedStates.shape.dropFirst(2)
    let flat = stackedStates.reshaped(to: shape)
    let rows = zip(sampleRows, positions).map { $0 * stateCount + $1 }
    states = flat.gather(rows)
    nextStates = flat.gather(rows.map { $0 + 1 })
    indices = .perRow(positions.map { firstIndex + $0 })
  }

  /// Transitions given one by one.
  ///
  /// - Parameters:
  ///   - states: `[M, ...]`
  ///   - nextStates: `[M, ...]`
  ///   - firstIndex: the first kept transition's index among the sampler's time steps.
  ///   - sampleRows: the sample that each transition belongs to.
  ///   - positions: the place of each transition among its chain's kept ones.
  public init(
    states: Tensor, nextStates: Tensor, firstIndex: Int, sampleRows: [Int], positions: [Int]
  ) {
    precondition(
      states.shape == nextStates.shape && states.shape[0] == positions.count
        && sampleRows.count == positions.count,
      "transitions from \(states.shape) to \(nextStates.shape) with \(positions.count) positions")
    self.states = states
    self.nextStates = nextStates
    self.sampleRows = sampleRows
    self.positions = positions
    indices = .perRow(positions.map { firstIndex + $0 })
  }

  private init(
    states: Tensor, nextStates: Tensor, indices: Broadcast<Int>, sampleRows: [Int], positions: [Int]
  ) {
    self.states = states
    self.nextStates = nextStates
    self.indices = indices
    self.sampleRows = sampleRows
    self.positions = positions
  }

  /// Some of the transitions.
  public func slice(_ rows: Range<Int>) -> RecordedTransitions {
    RecordedTransitions(
      states: states.slice(rows), nextStates: nextStates.slice(rows),
      indices: .perRow(Array(indices.values(count: positions.count)[rows])),
      sampleRows: Array(sampleRows[rows]), positions: Array(positions[rows]))
  }
}

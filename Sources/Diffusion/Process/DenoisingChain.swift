import Tensors

/// A network with its condition bound: predicts what the sampler's `PredictionType` says.
///
/// - Parameters:
///   - sample: the scaled sample `[B, ...]`: action chunks `[B, Tp, Da]`, images `[B, H, W, C]`.
///   - timeSteps: diffusion time, shared by the batch or one for each row.
/// - Returns: the prediction, of the sample's shape.
public typealias Denoiser = (_ sample: Tensor, _ timeSteps: Broadcast<Float>) -> Tensor

/// The networks along a chain: one for the first steps and another for the last K'.
///
/// Each step runs one network only: the frozen one is not run where the fine-tuned one decides.
public struct StagedDenoiser {
  /// Runs the first, noisiest steps.
  public var frozen: Denoiser
  /// Runs the last steps.
  public var fineTuned: Denoiser
  /// K', from 0 to the number of steps.
  public var fineTunedSteps: Int

  /// A pretrained network and its fine-tuned copy.
  public init(
    frozen: @escaping Denoiser, fineTuned: @escaping Denoiser, fineTunedSteps: Int
  ) {
    self.frozen = frozen
    self.fineTuned = fineTuned
    self.fineTunedSteps = fineTunedSteps
  }

  /// The same network at all steps.
  public init(_ denoiser: @escaping Denoiser) {
    self.init(frozen: denoiser, fineTuned: denoiser, fineTunedSteps: 0)
  }
}

/// What is kept of a rollout.
public enum ChainRecord: Sendable, Hashable {
  /// The final sample only.
  case sampleOnly
  /// The states around the last K' transitions.
  case last(Int)
  /// All states, the initial noise included.
  case all

  func transitionCount(of total: Int) -> Int {
    switch self {
    case .sampleOnly: return 0
    case .all: return total
    case .last(let count):
      precondition(
        (0...total).contains(count), "cannot keep the last \(count) of \(total) transitions")
      return count
    }
  }
}

/// The kept end of a denoising chain x_K -> ... -> x_0, noisiest first.
public struct DenoisingChain: Sendable {
  /// The states before, between and after the kept transitions, `[B, ...]` each.
  public let states: [Tensor]
  /// The log-densities of the kept transitions at every element, `[B, ...]` each, under the
  /// networks that made them; empty unless asked for.
  public let logProbabilities: [Tensor]
  /// The index of the first kept transition among the sampler's time steps.
  public let firstIndex: Int

  /// A chain from recorded states.
  public init(states: [Tensor], logProbabilities: [Tensor] = [], firstIndex: Int) {
    precondition(!states.isEmpty, "a chain has at least its final sample")
    precondition(
      logProbabilities.isEmpty || logProbabilities.count == states.count - 1,
      "\(logProbabilities.count) log-probabilities for \(states.count - 1) transitions")
    self.states = states
    self.logProbabilities = logProbabilities
    self.firstIndex = firstIndex
  }

  /// The final sample `[B, ...]`.
  public var sample: Tensor { states[states.count - 1] }

  /// The number of kept transitions, K'.
  public var transitionCount: Int { states.count - 1 }

  /// All states `[B, K' + 1, ...]`, as a rollout buffer keeps them.
  public var stackedStates: Tensor { .concatenated(states.map(\.asColumn), along: 1) }

  /// All log-probabilities `[B, K', ...]`; nil if there are none.
  public var stackedLogProbabilities: Tensor? {
    guard !logProbabilities.isEmpty else { return nil }
    return .concatenated(logProbabilities.map(\.asColumn), along: 1)
  }
}

extension Tensor {
  /// `[B, ...]` to `[B, 1, ...]`.
  fileprivate var asColumn: Tensor { expandingDimension(at: 1) }
}

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

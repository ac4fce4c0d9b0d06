import Configuration
import Environments
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// A learned Q(s, chunk), as checkpoints keep it.
public struct QFunctionConfiguration: Settings {
  /// The hidden layers of each critic.
  public var layers = HiddenLayers()
  /// The critics.
  @Setting(1...100) public var critics = 2

  /// Two critics.
  public init() {}

  /// The critics of a policy's executed chunks.
  func makeCritics(_ policy: QFunctionShape, random: RandomStream) -> CriticEnsemble {
    layers.makeCritics(
      inputSize: policy.observationSize + policy.chunkSize, count: critics, random: random)
  }
}

/// The sizes of what a Q function sees of a policy.
struct QFunctionShape: Sendable {
  /// `To Do`
  let observationSize: Int
  /// Ta, the actions of a chunk that are executed.
  let actionSteps: Int
  /// `Da`
  let actionSize: Int

  init(_ checkpoint: PolicyCheckpoint) {
    observationSize = checkpoint.layout.stepCount * checkpoint.layout.stateSize
    actionSteps = checkpoint.configuration.actionSteps
    actionSize = checkpoint.actionSize
  }

  /// `Ta Da`
  var chunkSize: Int { actionSteps * actionSize }

  /// What is executed of chunks `[N, Tp, Da]`, `[N, Ta Da]`.
  func executed(_ chunks: Tensor) -> Tensor {
    chunks.slice(0..<actionSteps, along: 1).flattened(from: 1)
  }

  /// Flattened states `[N, To Do]` as observations.
  func observations(_ states: Tensor, stepCount: Int) -> Observations {
    Observations(
      states.reshaped(to: [states.shape[0], stepCount, observationSize / stepCount]))
  }
}

/// Draws several chunks from a policy and acts by the one of the greatest Q, the least over critics
/// (IDQL, Hansen-Estruch et al., arXiv:2304.10573).
public final class BestOfPolicy: ActingPolicy {
  private let policy: any ActingPolicy
  private let critics: CriticEnsemble
  private let shape: QFunctionShape
  private let count: Int

  /// The best of `count` chunks of a policy.
  init(_ policy: any ActingPolicy, critics: CriticEnsemble, shape: QFunctionShape, count: Int) {
    precondition(count > 0, "the best of \(count) chunks")
    self.policy = policy
    self.critics = critics
    self.shape = shape
    self.count = count
  }

  /// The best of the chunks that each row's own stream draws.
  public func decide(
    on observations: Observations, mode: ActionMode, streams: [RandomStream]
  ) -> ChunkDecisions {
    let (candidates, values) = candidates(on: observations, mode: mode, streams: streams)
    let chosen = values.enumerated().map { row, values in
      row * count + values.indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
    }
    return candidates.gather(chosen)
  }

  /// The candidates of all rows, one row's after another's, and their Q.
  func candidates(
    on observations: Observations, mode: ActionMode, streams: [RandomStream]
  ) -> (decisions: ChunkDecisions, values: [[Float]]) {
    let rows = (0..<observations.count).flatMap { Array(repeating: $0, count: count) }
    let repeated = observations.gather(rows)
    let candidates = policy.decide(
      on: repeated, mode: mode,
      streams: streams.flatMap { stream in
        (0..<count).map { stream.split($0, purpose: "candidates") }
      })
    let values = CriticReduction.minimum(
      critics(repeated.state.flattened(from: 1), shape.executed(candidates.chunks)), members: []
    ).elements
    return (
      candidates,
      (0..<observations.count).map { Array(values[$0 * count..<($0 + 1) * count]) }
    )
  }
}

extension ChunkDecisions {
  /// Some rows, in an order.
  func gather(_ rows: [Int]) -> ChunkDecisions {
    ChunkDecisions(
      chunks: chunks.gather(rows), states: states.gather(rows),
      logProbabilities: logProbabilities.shape[1] == 0
        ? .zeros([rows.count, 0]) : logProbabilities.gather(rows))
  }
}

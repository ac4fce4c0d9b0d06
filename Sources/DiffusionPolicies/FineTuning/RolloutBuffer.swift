import Tensors

/// What `T` decisions in `B` environments brought; row t B + b is decision t of environment b.
struct RolloutBuffer {
  /// `[T B, To, Do]`
  var observations: Tensor
  /// The states around the improved transitions, `[T B, K' + 1, Tp, Da]`.
  var states: Tensor
  /// Of each improved transition under the policy that made it, row-major `[T B, K']`.
  var logProbabilities: [Float]
  /// As the environments gave them, `[T B]`.
  var rewards: [Float]
  /// The observations that episodes ended with, and those after the last decisions, `[E, To, Do]`.
  var finalObservations: Tensor
  /// For each row, the row of `finalObservations` that it led to; nil where it led to row t + 1.
  var finalRows: [Int?]
  /// Whether the task itself ended.
  var isTerminated: [Bool]
  /// Whether the episode ended.
  var isFinished: [Bool]
  /// Whether a decision is its episode's first.
  var isFirst: [Bool]
  /// `B`
  let environmentCount: Int

  /// The number of decisions, T B.
  var count: Int { rewards.count }
}

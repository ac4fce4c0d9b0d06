import Diffusion
import Tensors

/// Transitions to learn from, with all that their losses need.
struct Minibatch: Sendable {
  /// The transitions.
  var transitions: TransitionBatch
  /// The observations of each transition, `[M, To, Do]`.
  var observations: Tensor
  /// Under the policy that acted, `[M]`.
  var oldLogProbabilities: Tensor
  /// Scaled and discounted, `[M]`.
  var advantages: Tensor
  /// `[M]`
  var clipRanges: Tensor

  /// The number of transitions, M.
  var count: Int { observations.shape[0] }

  /// Some of the transitions.
  func slice(_ rows: Range<Int>) -> Minibatch {
    Minibatch(
      transitions: transitions.slice(rows), observations: observations.slice(rows),
      oldLogProbabilities: oldLogProbabilities.slice(rows), advantages: advantages.slice(rows),
      clipRanges: clipRanges.slice(rows))
  }
}

/// The decisions of a minibatch, each once, for the critic.
///
/// A minibatch has the same decision at several denoising steps. The critic sees no more than the
/// observation, so that one evaluation, weighted by their number, is the same as all of them.
struct CriticBatch: Sendable {
  /// `[N, To, Do]`
  var observations: Tensor
  /// `[N]`
  var returns: Tensor
  /// Before the update, `[N]`.
  var oldValues: Tensor
  /// How often each decision is in the minibatch, over M, `[N]`.
  var weights: Tensor
}

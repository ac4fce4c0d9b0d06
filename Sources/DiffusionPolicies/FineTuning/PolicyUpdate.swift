import Diffusion
import NeuralNetworks
import ReinforcementLearning
import Tensors

/// The gradient of DPPO's loss on one minibatch, for policy and critic.
///
/// loss = policy loss - entropy x coefficient + value loss x coefficient + cloning loss x
/// coefficient. The policy's terms and the critic's share no parameters, so each is differentiated
/// on its own.
struct PolicyUpdate: Sendable {
  let policy: any ChunkPolicy
  let critic: Critic
  var entropyCoefficient: Float = 0
  var valueCoefficient: Float = 0.5
  var valueClipRange: Float?
  var cloningCoefficient: Float = 0

  /// Rows that a worker takes through a network at once, so that activations stay in its cache:
  /// whole tiles of 14 rows, as the matrix product has them.
  private static let shardSize = 252

  /// The policy's terms and their gradient.
  struct PolicyResult {
    var gradients: Gradients
    var policyLoss: Double
    var entropy: Double
    var cloningLoss: Double
    var statistics: ProximalPolicyLoss.Statistics
  }

  /// The policy's part.
  ///
  /// - Parameters:
  ///   - batch: the transitions.
  ///   - totalCount: of all processes together; losses are divided by it.
  ///   - frozenStates: what the frozen policy does on the observations of some rows; asked for with
  ///     a cloning coefficient only.
  func policyGradients(
    _ batch: Minibatch, totalCount: Int,
    frozenStates: @Sendable (_ rows: Range<Int>, _ observations: Tensor) -> Tensor
  ) -> PolicyResult {
    let scale = 1 / Float(totalCount)
    let result = shardedValueAndGradients(count: batch.count, shardSize: Self.shardSize) { rows in
      let shard = batch.slice(rows)
      let loss = ProximalPolicyLoss(
        logProbabilities: policy.logProbabilities(
          of: shard.transitions, observations: shard.observations),
        oldLogProbabilities: shard.oldLogProbabilities, advantages: shard.advantages,
        clipRanges: shard.clipRanges)
      var total = loss.sum * scale
      var (entropySum, cloningSum) = (0.0, 0.0)
      if entropyCoefficient != 0, let entropy = policy.entropy(observations: shard.observations) {
        let share = Float(rows.count) * scale
        total = total - entropy * (entropyCoefficient * share)
        entropySum = Double(entropy.scalar * share)
      }
      if cloningCoefficient != 0 {
        let cloning = -policy.cloningLogProbabilities(
          of: frozenStates(rows, shard.observations), observations: shard.observations
        ).sum()
        total = total + cloning * (cloningCoefficient * scale)
        cloningSum = Double(cloning.scalar * scale)
      }
      return ShardResult(
        loss: total,
        metrics: [Double(loss.sum.scalar * scale), entropySum, cloningSum]
          + loss.statistics.numbers)
    }
    return PolicyResult(
      gradients: result.gradients, policyLoss: result.metrics[0], entropy: result.metrics[1],
      cloningLoss: result.metrics[2],
      statistics: ProximalPolicyLoss.Statistics(numbers: Array(result.metrics[3...])))
  }

  /// The critic's part: the value loss, and the gradient of its product with the coefficient.
  func criticGradients(_ batch: CriticBatch) -> (loss: Double, gradients: Gradients) {
    let count = batch.observations.shape[0]
    let result = shardedValueAndGradients(count: count, shardSize: Self.shardSize) { rows in
      let errors = valueErrors(
        values: critic(batch.observations.slice(rows)), returns: batch.returns.slice(rows),
        oldValues: batch.oldValues.slice(rows), limit: valueClipRange)
      let loss = (errors * batch.weights.slice(rows)).sum()
      return ShardResult(loss: loss * valueCoefficient, metrics: [Double(loss.scalar)])
    }
    return (result.metrics[0], result.gradients)
  }
}

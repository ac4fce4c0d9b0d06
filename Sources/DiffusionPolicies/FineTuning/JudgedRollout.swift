import Diffusion
import ReinforcementLearning
import Tensors

/// A rollout with advantages and returns, ready to be learned from.
struct JudgedRollout {
  let buffer: RolloutBuffer
  /// V(s) before the update, `[T B]`.
  let values: [Float]
  /// `[T B]`
  let advantages: [Float]
  /// `[T B]`
  let returns: [Float]
  /// K'
  let transitionCount: Int
  private let firstTransition: Int
  private let discounts: [Float]
  private let clipRanges: [Float]
  private let scaling: AdvantageScaling

  /// Judges a rollout by the critic; takes its rewards into the scaler.
  init(
    _ buffer: RolloutBuffer, critic: Critic, configuration: FineTuningConfiguration,
    policy: any ChunkPolicy, scaler: inout RewardScaler
  ) {
    func value(_ observations: Tensor) -> [Float] {
      shardedMap(count: observations.shape[0], shardSize: 512) {
        critic(observations.slice($0))
      }.elements
    }
    let values = value(buffer.observations)
    let finalValues = value(buffer.finalObservations)
    let scaled =
      configuration.scalesRewards
      ? scaler(buffer.rewards, isFirst: buffer.isFirst) : buffer.rewards
    let factor = Float(configuration.rewardFactor)
    let rewards = RolloutRewards(
      rewards: scaled.map { $0 * factor }, values: values,
      nextValues: buffer.finalRows.enumerated().map { row, final in
        final.map { finalValues[$0] } ?? values[row + buffer.environmentCount]
      },
      isTerminated: buffer.isTerminated, isFinished: buffer.isFinished,
      environmentCount: buffer.environmentCount)
    let (advantages, returns) = rewards.generalizedAdvantages(
      discount: Float(configuration.discount), traceDecay: Float(configuration.traceDecay))
    self.init(
      buffer, values: values, advantages: advantages, returns: returns,
      configuration: configuration, policy: policy)
  }

  /// A rollout that has been judged.
  init(
    _ buffer: RolloutBuffer, values: [Float], advantages: [Float], returns: [Float],
    configuration: FineTuningConfiguration, policy: any ChunkPolicy
  ) {
    self.buffer = buffer
    self.values = values
    self.advantages = advantages
    self.returns = returns
    transitionCount = policy.transitionCount
    firstTransition = policy.firstTransition
    discounts = denoisingDiscounts(configuration.denoisingDiscount, count: transitionCount)
    clipRanges = configuration.clipSchedule.ranges(count: transitionCount)
    scaling = configuration.advantageScaling
  }

  /// All pairs of decision and denoising step, T B K'.
  var pairCount: Int { buffer.count * transitionCount }

  /// The transitions of some pairs (decision x K' + step) for the policy.
  func minibatch(_ pairs: ArraySlice<Int>) -> Minibatch {
    let transitions = TransitionBatch(
      stackedStates: buffer.states, firstIndex: firstTransition, transitions: pairs)
    let scaled = scaling(transitions.sampleRows.map { advantages[$0] })
    return Minibatch(
      transitions: transitions, observations: buffer.observations.gather(transitions.sampleRows),
      oldLogProbabilities: Tensor(pairs.map { buffer.logProbabilities[$0] }),
      advantages: Tensor(zip(scaled, transitions.positions).map { $0 * discounts[$1] }),
      clipRanges: Tensor(transitions.positions.map { clipRanges[$0] }))
  }

  /// The decisions of some pairs for the critic; `totalCount` is M of all processes together.
  func criticBatch(_ pairs: ArraySlice<Int>, totalCount: Int) -> CriticBatch {
    var counts = [Int](repeating: 0, count: buffer.count)
    for pair in pairs { counts[pair / transitionCount] += 1 }
    let rows = counts.indices.filter { counts[$0] > 0 }
    return CriticBatch(
      observations: buffer.observations.gather(rows), returns: Tensor(rows.map { returns[$0] }),
      oldValues: Tensor(rows.map { values[$0] }),
      weights: Tensor(rows.map { Float(counts[$0]) / Float(totalCount) }))
  }
}

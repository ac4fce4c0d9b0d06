import Diffusion
import NeuralNetworks
import ReinforcementLearning
import Tensors
import TextToImage

/// Denoising steps to learn from, with all that their loss needs.
struct DenoisingMinibatch: Sendable {
  /// The transitions.
  var transitions: TransitionBatch
  /// What the image of each transition is for, `M` of them.
  var prompts: [String]
  /// Under the policy that drew, `[M]`.
  var oldLogProbabilities: Tensor
  /// `[M]`
  var advantages: Tensor

  /// The number of transitions, M.
  var count: Int { prompts.count }

  /// Some of the transitions.
  func slice(_ rows: Range<Int>) -> DenoisingMinibatch {
    DenoisingMinibatch(
      transitions: transitions.slice(rows), prompts: Array(prompts[rows]),
      oldLogProbabilities: oldLogProbabilities.slice(rows), advantages: advantages.slice(rows))
  }
}

/// The gradient of the loss of one minibatch: PPO's clipped objective on the ratios of denoising
/// steps (DDPO with importance sampling, arXiv:2305.13301, equation 5), plus the divergence from
/// the frozen model times a coefficient (DPOK, arXiv:2305.16381, section 4.2).
struct DenoisingUpdate: Sendable {
  let unet: UNet2DConditionModel
  let frozen: UNet2DConditionModel
  let prompts: EncodedPrompts
  let process: DenoisingProcess
  let guidance: Guidance
  let reduction: LogProbabilityReduction
  let clipRange: Float
  let klCoefficient: Float
  /// Transitions that a worker takes through the network at once.
  let shardSize: Int

  /// The terms of the loss, their gradient with respect to the network's weights, and statistics.
  struct Result {
    var gradients: Gradients
    var policyLoss: Double
    /// The mean of reduced divergences, without the coefficient; 0 where it is not needed.
    var divergence: Double
    var statistics: ProximalPolicyLoss.Statistics
  }

  /// - Parameters:
  ///   - batch: the transitions.
  ///   - totalCount: of all processes together; losses are divided by it.
  func gradients(_ batch: DenoisingMinibatch, totalCount: Int) -> Result {
    let scale = 1 / Float(totalCount)
    let result = shardedValueAndGradients(count: batch.count, shardSize: shardSize) { rows in
      let shard = batch.slice(rows)
      let transition = transition(shard, under: unet)
      let logProbabilities = reduction(
        transition.logProbability(of: shard.transitions.nextStates))  // [M]
      let loss = ProximalPolicyLoss(
        logProbabilities: logProbabilities, oldLogProbabilities: shard.oldLogProbabilities,
        advantages: shard.advantages, clipRanges: Tensor(repeating: clipRange, shape: [rows.count])
      )
      var total = loss.sum * scale
      var divergenceSum = 0.0
      if klCoefficient > 0 {
        let start = withoutRecording { self.transition(shard, under: frozen) }
        let divergence = reduction(transition.divergence(from: start)).sum()
        total = total + divergence * (klCoefficient * scale)
        divergenceSum = Double(divergence.scalar * scale)
      }
      return ShardResult(
        loss: total,
        metrics: [Double(loss.sum.scalar * scale), divergenceSum] + loss.statistics.numbers)
    }
    return Result(
      gradients: result.gradients, policyLoss: result.metrics[0], divergence: result.metrics[1],
      statistics: ProximalPolicyLoss.Statistics(numbers: Array(result.metrics[2...])))
  }

  /// The divergence of the policy from the frozen model in nats, summed over elements, of each
  /// transition: `[M]`.
  func divergences(_ batch: TransitionBatch, prompts: [String]) -> Tensor {
    let minibatch = DenoisingMinibatch(
      transitions: batch, prompts: prompts, oldLogProbabilities: .zeros([prompts.count]),
      advantages: .zeros([prompts.count]))
    return shardedMap(count: prompts.count, shardSize: shardSize) { rows in
      let shard = minibatch.slice(rows)
      let divergence = transition(shard, under: unet).divergence(
        from: transition(shard, under: frozen))
      return LogProbabilityReduction.sum(divergence)
    }
  }

  private func transition(
    _ shard: DenoisingMinibatch, under network: UNet2DConditionModel
  ) -> Transition {
    process.transition(
      from: shard.transitions.states, at: shard.transitions.indices,
      denoiser: prompts.denoiser(network, prompts: shard.prompts, guidance: guidance))
  }

  /// A quarter of a megabyte of the finest block's activations for both halves of guidance, and not
  /// so many that a usual minibatch leaves workers without any.
  static func shardSize(_ unet: UNet2DConditionModel, sampleShape: [Int], guidance: Guidance)
    -> Int
  {
    let halves = guidance.isOn ? 2 : 1
    let rowSize =
      sampleShape[0] * sampleShape[1] * unet.configuration.blockChannels[0] * halves
    return min(8, max(1, (1 << 17) / rowSize))
  }
}

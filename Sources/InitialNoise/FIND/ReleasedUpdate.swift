import Diffusion
import NeuralNetworks
import Tensors

/// The update of the released code (github.com/vpx-ecnu/FIND), faults included, for comparison: the
/// oldest reward of a buffer instead of the noise's own, a ratio to N(0, I), clamped without PPO's
/// minimum, on log-densities averaged over the elements.
final class ReleasedUpdate {
  private let configuration: FINDConfiguration
  private let parameters: LearnedPrior
  private let optimizer: Adam
  private let baseline: LearnedBaseline
  private var buffer: [Float] = []

  init(
    _ parameters: LearnedPrior, baseline: LearnedBaseline, configuration: FINDConfiguration
  ) {
    self.configuration = configuration
    self.parameters = parameters
    self.baseline = baseline
    optimizer = .withDecoupledDecay(
      parameters.parameters, learningRate: Float(configuration.releasedLearningRate),
      weightDecay: 0)
  }

  /// Learns from one noise `[1, ...]`.
  ///
  /// - Returns: the loss, the ratio before its clamp, and the norm of the gradient.
  func step(
    noise: Tensor, reward: Float
  ) -> (loss: Double, ratio: Double, gradientNorm: Double) {
    buffer.append(reward)
    if buffer.count > configuration.releasedBufferCount { buffer.removeFirst() }
    let oldest = buffer[0]
    // Its passes accumulate one gradient, in parts: one step.
    baseline.fit(parameters.prior, reward: oldest, passCount: 1)
    let advantage = oldest - baseline.value(of: parameters.prior)
    let standard = NoisePrior(standardOfShape: parameters.mean.value.shape)
    let old = LogProbabilityReduction.mean(standard.logDensity(of: noise))  // [1]
    let clip = Float(configuration.clipRange)
    var ratio = 0.0
    let (loss, gradients) = valueAndGradients {
      let prior = parameters.tracked
      let unclamped = (LogProbabilityReduction.mean(prior.logDensity(of: noise)) - old).exp()
      ratio = Double(unclamped.detached().elements[0])
      let reward =
        unclamped.clamped(to: 1 - clip, 1 + clip).sum()
        * (-Float(configuration.rewardWeight) * advantage)
      let penalty = (prior.mean.squared() + (prior.standardDeviation - 1).squared()).mean()
      return reward + penalty * Float(configuration.priorPenaltyWeight)
    }
    optimizer.step(gradients, gradientScale: 1)
    parameters.clampStd()
    return (Double(loss.scalar), ratio, gradients.globalNorm(of: parameters.parameters))
  }

  func store(in state: inout TrainingState) {
    state.add(optimizer.state, under: "releasedOptimizer")
    state.tensors["releasedBuffer"] = Tensor(buffer)
  }

  func restore(_ state: TrainingState) throws {
    try optimizer.restore(state.optimizer(under: "releasedOptimizer"))
    buffer = state.tensors["releasedBuffer"]?.elements ?? []
  }
}

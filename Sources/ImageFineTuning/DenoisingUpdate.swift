import Diffusion
import GenerativeModels
import NeuralNetworks
import ReinforcementLearning
import Tensors
import TextToImage

/// The gradient of the loss of one minibatch: PPO's clipped objective on the ratios of denoising
/// steps (DDPO with importance sampling, arXiv:2305.13301, equation 5), plus the divergence from
/// the frozen model times a coefficient (DPOK, arXiv:2305.16381, section 4.2).
struct DenoisingUpdate<Network: PromptedNetwork>: Sendable {
  let unet: Network
  let frozen: Network
  let prompts: EncodedPrompts
  let process: DenoisingProcess
  let guidance: Guidance
  let reduction: LogProbabilityReduction
  let clipRange: Float
  let klCoefficient: Float
  /// Transitions that a worker takes through the network at once.
  let shardSize: Int
  var communicator: any Communicator = SingleProcess()

  /// A minibatch of some transitions for the prompts of their images.
  func batch(
    _ transitions: RecordedTransitions, prompts: [String], oldLogProbabilities: [Float],
    advantages: [Float]
  ) -> TransitionBatch<[String]> {
    TransitionBatch(
      transitions: transitions, conditions: prompts,
      oldLogProbabilities: Tensor(oldLogProbabilities), advantages: Tensor(advantages),
      clipRanges: Tensor(repeating: clipRange, shape: [prompts.count]))
  }

  /// The gradient with respect to the network's weights.
  ///
  /// - Returns: `policyLoss`, the sums of `ProximalPolicyLoss.Statistics`, and `klPenalty`: the mean of
  ///   reduced divergences, without the coefficient; 0 where it is not needed.
  func gradients(
    _ batch: TransitionBatch<[String]>
  ) throws -> (sums: NamedSums, gradients: Gradients) {
    let scale = 1 / Float(batch.count)
    return try batch.clippedObjective(
      of: unet.parameters, shardSize: shardSize, over: communicator
    ) { shard, _ in
      let transition = transition(shard.transitions, shard.conditions, under: unet)
      var terms = PolicyTerms(
        logProbabilities: reduction(
          transition.logProbability(of: shard.transitions.nextStates)))
      var divergenceSum = 0.0
      if klCoefficient > 0 {
        let start = withoutRecording {
          self.transition(shard.transitions, shard.conditions, under: frozen)
        }
        let divergence = reduction(transition.divergence(from: start)).sum()
        terms.penalties.append(divergence * (klCoefficient * scale))
        divergenceSum = Double(divergence.scalar * scale)
      }
      terms.sums = ["klPenalty": divergenceSum]
      return terms
    }
  }

  /// The divergence of the policy from the frozen model in nats, summed over elements, of each
  /// transition: `[M]`.
  func divergences(_ transitions: RecordedTransitions, prompts: [String]) -> Tensor {
    shardedMap(count: prompts.count, shardSize: shardSize) { rows in
      let shard = (transitions.slice(rows), Array(prompts[rows]))
      let divergence = transition(shard.0, shard.1, under: unet).divergence(
        from: transition(shard.0, shard.1, under: frozen))
      return LogProbabilityReduction.sum(divergence)
    }
  }

  private func transition(
    _ transitions: RecordedTransitions, _ rowPrompts: [String], under network: Network
  ) -> Transition {
    process.transition(
      from: transitions.states, at: transitions.indices,
      denoiser: prompts.denoiser(network, prompts: rowPrompts, guidance: guidance))
  }

  /// A quarter of a megabyte of the finest block's activations for both halves of guidance, and not
  /// so many that a usual minibatch leaves workers without any.
  static func shardSize(_ unet: Network, sampleShape: [Int], guidance: Guidance) -> Int {
    let halves = guidance.isOn ? 2 : 1
    let places = sampleShape.dropLast().reduce(1, *)
    let rowSize = places * unet.configuration.blockChannels[0] * halves
    return min(8, max(1, (1 << 17) / rowSize))
  }
}

/// Prompts as the text encoder, which does not learn, sees them: encoded once for a whole training.
struct EncodedPrompts: Sendable {
  /// Row 0 is the empty prompt, which guidance leads away from; `[P + 1, L, D]`.
  private let hiddenStates: Tensor
  private let places: [String: Int]

  /// Encodes them as sampling does: what `settings` leave out of the text encoder is left out.
  ///
  /// - Throws: `GenerationError` or `NonFiniteOutput` if the text encoder cannot.
  init<Network>(
    _ prompts: [String], model: PromptedModel<Network>, settings: GenerationSettings
  ) throws {
    let different = Array(Set(prompts)).sorted()
    places = Dictionary(uniqueKeysWithValues: zip(different, 1...))
    let encoder = CLIPPromptEncoder(
      tokenizer: model.tokenizer, textEncoder: model.textEncoder)
    hiddenStates = .concatenated(
      [
        try encoder.encode([""], as: .negative, settings: settings).states,
        try encoder.encode(different, as: .positive, settings: settings).states,
      ], along: 0)
  }

  /// The network with guidance and a prompt for each row, differentiable with respect to the
  /// network's weights, those that make keys and values of the prompts included.
  func denoiser(
    _ unet: some PromptedNetwork, prompts: [String], guidance: Guidance
  ) -> Denoiser {
    let scale = guidance.scale
    let guidance = unet.outerGuidance(guidance)
    let rows = prompts.map { prompt in
      guard let place = places[prompt] else { preconditionFailure("'\(prompt)' is not encoded") }
      return place
    }
    let different = Array(Set(rows)).sorted()
    // Without guidance nobody asks for the empty prompt.
    let encodedRows = (guidance.isOn ? [0] : []) + different
    let ranks = Dictionary(uniqueKeysWithValues: zip(encodedRows, 0...))
    let context = unet.context(hiddenStates.gather(encodedRows)).guided(by: scale)
    let wanted = rows.compactMap { ranks[$0] }
    let guided = wanted.map { _ in 0 } + wanted
    return guidance.applied { sample, timeSteps, halves in
      unet.prediction(
        sample, timeSteps: timeSteps, context: context.rows(halves == .both ? guided : wanted))
    }
  }
}

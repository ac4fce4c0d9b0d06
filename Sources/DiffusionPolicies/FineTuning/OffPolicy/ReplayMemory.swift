import Configuration
import ReinforcementLearning
import Tensors

/// What batches are drawn from: what the policy has done, and demonstrations beside it.
struct ReplayMemory {
  /// What the policy has done.
  var online: ReplayBuffer
  /// Demonstrations, if there are some.
  let demonstrations: ReplayBuffer?
  /// The fraction of a batch that is demonstrations.
  let demonstrationFraction: Double
  let returns: ReplayReturns

  /// Whether there is nothing to draw.
  var isEmpty: Bool { online.learnableCount == 0 }

  /// A batch, the demonstrations last.
  func batch(_ count: Int, random: inout RandomStream) -> ReplayBatch {
    guard let demonstrations else {
      return online.batch(online.draw(count, random: &random), returns)
    }
    let demonstrated = Int((Double(count) * demonstrationFraction).rounded())
    func part(_ buffer: ReplayBuffer, _ count: Int) -> ReplayBatch? {
      count > 0 ? buffer.batch(buffer.draw(count, random: &random), returns) : nil
    }
    let parts = [part(online, count - demonstrated), part(demonstrations, demonstrated)]
      .compactMap { $0 }
    return parts.dropFirst().reduce(parts[0]) { $0.joined(with: $1) }
  }
}

extension ReplayBuffer {
  /// Demonstrations as decisions of an environment of their own: chunks from every step of each episode
  /// on, each followed by the one that starts where what was executed of it ends.
  ///
  /// The last decision of an episode that a time-out ended is left out: what it led to was not recorded.
  ///
  /// - Parameters:
  ///   - demonstrations: with rewards.
  ///   - checkpoint: knows sizes and normalization.
  ///   - chunkGamma: discounts the rewards within a chunk.
  ///   - rewardFactor: multiplies rewards.
  ///   - stored: what is kept of chunks `[N, Tp, Da]` as the action, `[N, A]`.
  /// - Throws: `ConfigurationError` if there are no rewards, or nothing is left.
  init(
    _ demonstrations: Demonstrations, for checkpoint: PolicyCheckpoint, chunkGamma: Float,
    rewardFactor: Float, stored: (Tensor) -> Tensor
  ) throws {
    try ConfigurationError.require(
      !demonstrations.rewards.isEmpty, "offPolicy.demonstrations.path",
      "demonstrations without rewards",
      "some with rewards, as 'attune policy collect' writes them: critics learn from those")
    let policy = checkpoint.configuration
    let chunks = try ChunkDataset(
      demonstrations, normalization: checkpoint.normalization,
      historyLength: policy.observationSteps, chunkLength: policy.horizonSteps,
      padding: ChunkPadding(after: policy.horizonSteps - 1))
    var steps: [ReplayStep] = []
    var start = 0
    for length in demonstrations.lengths {
      for phase in 0..<min(policy.actionSteps, length) {
        let firstOfPhase = steps.count
        for step in stride(from: phase, to: length, by: policy.actionSteps) {
          let end = min(step + policy.actionSteps, length)
          let isTerminated = demonstrations.terminals[start + end - 1]
          if end == length && !isTerminated { break }
          let batch = chunks.batch([start + step])
          let next = end < length ? chunks.batch([start + end]) : batch
          let (reward, _) = demonstrations.rewards[start + step..<start + end].reduce(
            (Float(0), Float(1))
          ) { ($0.0 + $0.1 * $1, $0.1 * chunkGamma) }
          steps.append(
            ReplayStep(
              observations: batch.observations.state.elements,
              actions: stored(batch.chunks).elements, rewards: [reward * rewardFactor],
              stepCounts: [end - step], isTerminated: [isTerminated], isFinished: [isTerminated],
              isLost: [false], reached: next.observations.state.elements))
        }
        // What comes next is of the same episode, but earlier.
        if steps.count > firstOfPhase { steps[steps.count - 1].isFinished = [true] }
      }
      start += length
    }
    guard let first = steps.first else {
      throw ConfigurationError.badValue(
        key: "offPolicy.demonstrations.path", found: "episodes of one decision each",
        expected: "longer ones, or ones that end by themselves")
    }
    self.init(
      observationSize: first.observations.count, actionSize: first.actions.count,
      environmentCount: 1, capacity: steps.count)
    for step in steps { append(step) }
  }
}

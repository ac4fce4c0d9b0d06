/// Advantages of images over the last images of the same prompt (DDPO, arXiv:2305.13301, section
/// 4.3), so that prompts that are easy to please do not drown those that are not.
struct PromptAdvantages: Sendable, Equatable {
  /// What the next iterations depend on.
  struct State: Sendable, Codable, Equatable {
    /// The last rewards of each prompt.
    var buffers: [String: [Float]] = [:]
  }

  /// The rewards so far; settings are not among them, so that they may change when a run goes on.
  var state = State()
  private let bufferSize: Int
  private let minimumCount: Int
  private let isNormalized: Bool
  private let limit: Float

  init(_ configuration: ImageFineTuningConfiguration) {
    bufferSize = configuration.rewardBufferSize
    minimumCount = configuration.rewardMinimumCount
    isNormalized = configuration.normalizesAdvantages
    limit = Float(configuration.advantageLimit)
  }

  /// Takes in the rewards of an iteration and scores them; an image without a reward gets none.
  mutating func callAsFunction(_ rewards: [Float?], prompts: [String]) -> [Float?] {
    precondition(
      rewards.count == prompts.count, "\(rewards.count) rewards for \(prompts.count) prompts")
    for (reward, prompt) in zip(rewards, prompts) {
      if let reward { state.buffers[prompt, default: []].append(reward) }
    }
    state.buffers = state.buffers.mapValues { $0.suffix(bufferSize) }
    let all = Moments(rewards.compactMap { $0 })
    var moments: [String: Moments] = [:]
    for prompt in Set(prompts) {
      let buffer = state.buffers[prompt] ?? []
      moments[prompt] = buffer.count < minimumCount ? all : Moments(buffer)
    }
    return zip(rewards, prompts).map { reward, prompt in
      guard let reward, let moments = moments[prompt] else { return nil }
      let centered = Double(reward) - moments.mean
      let scaled = isNormalized ? centered / (moments.std + 1e-6) : centered
      return min(max(Float(scaled), -limit), limit)
    }
  }

  /// Mean and standard deviation, as `numpy.mean` and `numpy.std`.
  private struct Moments {
    let mean: Double
    let std: Double

    init(_ numbers: [Float]) {
      let count = Double(max(numbers.count, 1))
      let mean = numbers.reduce(0.0) { $0 + Double($1) } / count
      let squares = numbers.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
      self.mean = mean
      std = (squares / count).squareRoot()
    }
  }
}

import Tensors

/// Makes of texts what a generative model's network is conditioned by.
public protocol PromptEncoder: Sendable {
  /// Encodes texts.
  ///
  /// - Parameters:
  ///   - prompts: `P` of them.
  ///   - role: what the texts are for: some models treat what guidance leads away from in another
  ///     way.
  ///   - settings: how media are generated: what is left out of the encoder, and sizes that
  ///     condition a network.
  /// - Throws: `GenerationError` for settings that it cannot follow; `NonFiniteOutput` if it gives
  ///   numbers that are none.
  func encode(
    _ prompts: [String], as role: PromptRole, settings: GenerationSettings
  ) throws -> PromptEncoding
}

/// What a prompt is for.
public enum PromptRole: Sendable {
  /// It says what to generate.
  case positive
  /// Guidance leads away from it; an empty text where none was given.
  case negative
}

/// Prompts as a network takes them.
public struct PromptEncoding: Sendable {
  /// The states of every token, `[P, L, D]`.
  public var states: Tensor
  /// One vector for each prompt, `[P, E]`; nil where the encoder has none.
  public var pooled: Tensor?
  /// Further conditions by name, `[P, ...]` each, such as the sizes that SDXL is told.
  public var added: [String: Tensor]
  /// 1 for tokens that are seen and 0 for others, `[P, L]`; nil where all are seen.
  public var mask: Tensor?

  /// Prompts as states of tokens, with what else the encoder gives.
  public init(
    states: Tensor, pooled: Tensor? = nil, added: [String: Tensor] = [:], mask: Tensor? = nil
  ) {
    precondition(states.rank == 3, "states of tokens are [P, L, D], not \(states.shape)")
    let count = states.shape[0]
    for tensor in [pooled, mask].compactMap({ $0 }) + Array(added.values) {
      precondition(tensor.shape.first == count, "\(tensor.shape) for \(count) prompts")
    }
    self.states = states
    self.pooled = pooled
    self.added = added
    self.mask = mask
  }

  /// The number of prompts, P.
  public var count: Int { states.shape[0] }

  /// One vector for each prompt, `[P, E]`: `pooled`, or the mean of the tokens' states.
  public var vectors: Tensor {
    if let pooled { return pooled }
    guard let mask else { return states.mean(along: 1) }
    let weights = mask.expandingDimension(at: 2)  // [P, L, 1]
    return (states * weights).sum(along: 1) / weights.sum(along: 1)
  }

  /// The prompts at the given places, in this order; repeats are allowed.
  public func gather(_ places: [Int]) -> PromptEncoding {
    PromptEncoding(
      states: states.gather(places), pooled: pooled?.gather(places),
      added: added.mapValues { $0.gather(places) }, mask: mask?.gather(places))
  }
}

/// The prompts of a batch of samples, each different one encoded once.
public struct PromptBatch: Sendable {
  /// The different prompts.
  public var encoding: PromptEncoding
  /// For each sample of the batch, the place of its prompt in `encoding`.
  public var rows: [Int]

  /// Prompts and which sample has which.
  public init(encoding: PromptEncoding, rows: [Int]) {
    self.encoding = encoding
    self.rows = rows
  }
}

/// What a network is conditioned by when it denoises a batch.
public struct PromptCondition: Sendable {
  /// What to generate.
  public var positive: PromptBatch
  /// What guidance leads away from; nil where guidance is off.
  public var negative: PromptBatch?

  /// A condition of a batch.
  public init(positive: PromptBatch, negative: PromptBatch? = nil) {
    self.positive = positive
    self.negative = negative
  }
}

extension PromptEncoder {
  /// Encodes the prompts of a batch, each different one once.
  ///
  /// - Throws: what `encode` throws.
  public func batch(
    _ prompts: [String], as role: PromptRole, settings: GenerationSettings
  ) throws -> PromptBatch {
    let different = Array(Set(prompts)).sorted()
    let places = Dictionary(uniqueKeysWithValues: zip(different, 0...))
    return PromptBatch(
      encoding: try encode(different, as: role, settings: settings),
      rows: prompts.compactMap { places[$0] })
  }

  /// What a batch is conditioned by: its prompts and, where guidance is on, what it leads away from.
  ///
  /// - Throws: what `encode` throws.
  public func condition(
    prompts: [String], negativePrompts: [String], settings: GenerationSettings
  ) throws -> PromptCondition {
    precondition(
      prompts.count == negativePrompts.count,
      "\(prompts.count) prompts and \(negativePrompts.count) negative prompts")
    let positive = try batch(prompts, as: .positive, settings: settings)
    guard settings.guidance.isOn else { return PromptCondition(positive: positive) }
    return PromptCondition(
      positive: positive, negative: try batch(negativePrompts, as: .negative, settings: settings))
  }
}

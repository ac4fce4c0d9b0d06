import Tensors

/// What a U-Net's transformers need of a batch of prompts: keys and values, computed once for an
/// image and used at every denoising step.
public struct PromptContext: Sendable {
  struct KeysAndValues: Sendable {
    /// `[B, L, D]`
    var keys: Tensor
    /// `[B, L, D]`
    var values: Tensor
  }

  /// The guidance scale that a distilled network is told; nil for none.
  private(set) var guidanceScale: Float?
  private var entries: [ObjectIdentifier: KeysAndValues]
  /// B, the number of prompts.
  public let count: Int

  private init(
    count: Int, guidanceScale: Float? = nil, entries: [ObjectIdentifier: KeysAndValues]
  ) {
    self.count = count
    self.guidanceScale = guidanceScale
    self.entries = entries
  }

  /// What a network's attentions make of prompts `[B, L, D]`.
  package init(prompts: Tensor, attentions: [Attention]) {
    let entries = attentions.map { (ObjectIdentifier($0), $0.keysAndValues(prompts)) }
    self.init(count: prompts.shape[0], entries: Dictionary(uniqueKeysWithValues: entries))
  }

  func callAsFunction(_ attention: Attention) -> KeysAndValues {
    guard let entry = entries[ObjectIdentifier(attention)] else {
      preconditionFailure("a prompt's keys and values belong to another network")
    }
    return entry
  }

  /// The prompts of one context and those of another after them, for the same network.
  package static func joined(_ first: PromptContext, _ second: PromptContext) -> PromptContext {
    PromptContext(
      count: first.count + second.count, guidanceScale: first.guidanceScale,
      entries: first.entries.merging(second.entries) { a, b in
        KeysAndValues(
          keys: .concatenated([a.keys, b.keys], along: 0),
          values: .concatenated([a.values, b.values], along: 0))
      })
  }

  /// The same prompts for a network that is told a guidance scale.
  package func guided(by scale: Float) -> PromptContext {
    var context = self
    context.guidanceScale = scale
    return context
  }

  /// The prompts of neighbouring rows, without copying.
  func slice(_ range: Range<Int>) -> PromptContext {
    PromptContext(
      count: range.count, guidanceScale: guidanceScale,
      entries: entries.mapValues {
        KeysAndValues(keys: $0.keys.slice(range), values: $0.values.slice(range))
      })
  }

  /// The prompts of the given rows, in this order; repeats are allowed.
  public func rows(_ indices: [Int]) -> PromptContext {
    if indices == Array(0..<count) { return self }
    return PromptContext(
      count: indices.count, guidanceScale: guidanceScale,
      entries: entries.mapValues {
        KeysAndValues(keys: $0.keys.gather(indices), values: $0.values.gather(indices))
      })
  }
}

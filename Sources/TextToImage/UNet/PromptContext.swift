import Tensors

/// What a U-Net's transformers need of a batch of prompts: keys and values, computed once for an image
/// and used at every denoising step.
public struct PromptContext: Sendable {
  struct KeysAndValues: Sendable {
    /// `[B, L, D]`
    var keys: Tensor
    /// `[B, L, D]`
    var values: Tensor
  }

  private var entries: [ObjectIdentifier: KeysAndValues]
  /// B, the number of prompts.
  public let count: Int

  init(count: Int, entries: [ObjectIdentifier: KeysAndValues]) {
    self.count = count
    self.entries = entries
  }

  func callAsFunction(_ attention: Attention) -> KeysAndValues {
    guard let entry = entries[ObjectIdentifier(attention)] else {
      preconditionFailure("a prompt's keys and values belong to another network")
    }
    return entry
  }

  /// The prompts of the given rows, in this order; repeats are allowed.
  public func rows(_ indices: [Int]) -> PromptContext {
    if indices == Array(0..<count) { return self }
    return PromptContext(
      count: indices.count,
      entries: entries.mapValues {
        KeysAndValues(keys: $0.keys.gather(indices), values: $0.values.gather(indices))
      })
  }
}

import Diffusion
import ReinforcementLearning
import Tensors
import Testing

/// Minibatches of transitions, and their shards.
struct TransitionBatchTests {
  /// Two samples of three transitions; each state has its number.
  private let transitions = RecordedTransitions(
    stackedStates: Tensor(shape: [2, 4, 1], elements: (0..<8).map { Float($0) }), firstIndex: 5,
    transitions: [4, 0, 5, 2])

  @Test func transitionsAreNumberedBySampleAndStep() {
    #expect(transitions.sampleRows == [1, 0, 1, 0] && transitions.positions == [1, 0, 2, 2])
    #expect(transitions.states.elements == [5, 0, 6, 2])
    #expect(transitions.nextStates.elements == [6, 1, 7, 3])
    #expect(transitions.indices.values(count: 4) == [6, 5, 7, 7])
  }

  /// A shard has the parts of its own rows.
  @Test func everyPartIsSliced() {
    let batch = TransitionBatch(
      transitions: transitions, conditions: ["a", "b", "c", "d"],
      oldLogProbabilities: Tensor([1, 2, 3, 4]), advantages: Tensor([5, 6, 7, 8]),
      clipRanges: Tensor([9, 10, 11, 12]))
    let shard = batch.rows(1..<3)
    #expect(shard.count == 2 && shard.conditions == ["b", "c"])
    #expect(shard.transitions.states.elements == [0, 6])
    #expect(shard.transitions.nextStates.elements == [1, 7])
    #expect(shard.transitions.indices.values(count: 2) == [5, 7])
    #expect(shard.transitions.sampleRows == [0, 1] && shard.transitions.positions == [0, 2])
    #expect(shard.oldLogProbabilities.elements == [2, 3])
    #expect(shard.advantages.elements == [6, 7] && shard.clipRanges.elements == [10, 11])
  }
}

import Tensors
import Testing

@Suite struct RecordingTests {
  @Test func untrackedInputsHaveNoGradient() {
    let (x, y) = (Tensor([1, 2]).tracked(), Tensor([3, 4]).tracked())
    let gradients = valueAndGradients { (x * 2).sum() }.gradients
    #expect(gradients[x]?.elements == [2, 2])
    #expect(gradients[y] == nil)
  }

  @Test func detachingStopsTheGradient() {
    let x = Tensor([1, 2]).tracked()
    let gradients = valueAndGradients { (x.detached() * x).sum() }.gradients
    #expect(gradients[x]?.elements == [1, 2])
  }

  @Test func gradientsAddUpOverUses() {
    let x = Tensor(3).tracked()
    let (value, gradients) = valueAndGradients { x * x * x }
    #expect(value.scalar == 27)
    #expect(gradients[x]?.scalar == 27)
  }

  /// The shards of the calling thread see its task's values, those of the workers do not.
  @Test(arguments: [1, 64]) func shardsAreNotRecorded(_ shardCount: Int) {
    let x = Tensor.ones([64]).tracked()
    let gradients = valueAndGradients {
      let seen = shardedMap(count: 64, shardSize: 64 / shardCount) { rows in
        Tensor(repeating: Recording.isOn ? 1 : 0, shape: [rows.count])
      }
      #expect(seen.elements.allSatisfy { $0 == 0 })
      #expect(Recording.isOn)
      return (x * seen).sum()
    }.gradients
    #expect(gradients[x]?.elements.allSatisfy { $0 == 0 } == true)
  }

  /// The walk back must not recurse: a chain of many denoising steps is thousands of operations
  /// deep.
  @Test func deepGraphs() {
    let x = Tensor(1).tracked()
    let gradients = valueAndGradients { (0..<20_000).reduce(x) { y, _ in y + 0.5 } }.gradients
    #expect(gradients[x]?.scalar == 1)
  }
}

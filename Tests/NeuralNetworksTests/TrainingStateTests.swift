import NeuralNetworks
import Tensors
import Testing

@Suite struct TrainingStateTests {
  /// As a run of several trainings keeps them.
  @Test func statesLieSideBySide() throws {
    var whole = TrainingState()
    for (index, name) in ["prompt1", "prompt10"].enumerated() {
      var part = TrainingState()
      part.add(["mean": Tensor([Float(index), 2])], under: "prior")
      part.numbers["iteration"] = index
      part.texts["rewards"] = "[\(index)]"
      whole.add(part, under: name)
    }
    #expect(whole.tensors.count == 2 && whole.numbers.count == 2 && whole.texts.count == 2)
    let first = whole.state(under: "prompt1")
    #expect(first.tensors.keys.sorted() == ["prior.mean"])
    #expect(first.tensors(under: "prior")["mean"]?.elements == [0, 2])
    #expect(first.numbers == ["iteration": 0])
    #expect(first.texts == ["rewards": "[0]"])
    #expect(try whole.state(under: "prompt10").number("iteration") == 1)
    #expect(whole.state(under: "prompt").numbers.isEmpty)
  }
}

import NeuralNetworks
import Tensors
import Testing

@testable import ONNX

/// What graphs are put together of.
@Suite struct ONNXGraphTests {
  @Test func whatIsThereIsNotAddedAgain() {
    var graph = ONNXGraph()
    let x = graph.input("x", shape: [nil, 3], description: "numbers")
    let one = graph.add(x, 1)
    let again = graph.scoped("later") { $0.add(x, 1) }
    #expect(one == again && graph.nodes.count == 1 && graph.constants.count == 1)
    let other = graph.scoped("later") { $0.add(x, 2) }
    #expect(other.name == "later/Add_2" && graph.nodes.count == 2 && graph.constants.count == 2)
    // 0 is not -0.
    #expect(graph.constant(0) != graph.constant(-0.0))
  }

  @Test func shapesAreKnown() {
    var graph = ONNXGraph()
    let x = graph.input("x", shape: [nil, 4, 6], description: "")
    #expect(graph.flatten(x).shape == [nil, 24])
    #expect(graph.transpose(x, [0, 2, 1]).shape == [nil, 6, 4])
    #expect(graph.slice(x, 1..<3, along: 1).shape == [nil, 2, 6])
    #expect(graph.slice(x, 0..<4, along: 1) == x)
    #expect(graph.element(x, 3, along: 1).shape == [nil, 6])
    #expect(graph.concatenate([x, x], along: 2).shape == [nil, 4, 12])
    let column = graph.constant([1, 2, 3, 4], shape: [4, 1])
    #expect(graph.multiply(x, by: column).shape == [nil, 4, 6])
    #expect(graph.add(graph.constant([1], shape: [1, 1, 1]), x).shape == [nil, 4, 6])
    #expect(x.shapeText == "[B, 4, 6]" && graph.constant(1).shapeText == "[]")
  }

  @Test func weightsHaveTheirNames() {
    var random = RandomStream(seed: 1)
    let layer = Linear(inputSize: 3, outputSize: 2, random: &random)
    var graph = ONNXGraph()
    graph.name(layer.parameters, under: "network.layer")
    let (a, b) = (
      graph.input("a", shape: [1, 1], description: ""),
      graph.input("b", shape: [nil, 2], description: "")
    )
    #expect(layer([a, b], in: &graph).shape == [nil, 2])
    #expect(layer([b, a], in: &graph).shape == [nil, 2])
    let constants = Dictionary(uniqueKeysWithValues: graph.constants.map { ($0.name, $0) })
    #expect(
      constants.keys.sorted() == [
        "network.layer.bias", "network.layer.weight.columns_0_1",
        "network.layer.weight.columns_0_2", "network.layer.weight.columns_1_3",
        "network.layer.weight.columns_2_3",
      ])
    let part = layer.weight.value.slice(1..<3, along: 1)
    #expect(
      constants["network.layer.weight.columns_1_3"]?.elements == .floats(part.elements))
    // The part that is shared by the batch is a sum of its own.
    #expect(graph.nodes.map(\.operation) == ["Gemm", "Gemm", "Add", "Gemm", "Gemm", "Add"])
    #expect(
      graph.nodes[0].inputs == ["b", "network.layer.weight.columns_1_3", "network.layer.bias"])
    #expect(graph.nodes[1].inputs == ["a", "network.layer.weight.columns_0_1"])
  }

  @Test func branchesKeepToThemselves() throws {
    var graph = ONNXGraph()
    let x = graph.input("x", shape: [nil, 3], description: "")
    let test = graph.isAtMost(
      graph.input("t", shape: [], element: .int, description: ""),
      graph.constant(ints: [4], shape: []))
    let y = graph.choose(test) {
      $0.add(x, 1)
    } else: {
      $0.add($0.add(x, 1), 2)
    }
    // Not known outside of the branches.
    _ = graph.add(x, 1)
    #expect(graph.nodes.map(\.operation) == ["LessOrEqual", "If", "Add"])
    #expect(graph.constants.count == 3 && y.shape == [nil, 3] && test.element == .bool)
    guard case .branch(let then) = graph.nodes[1].attributes["then_branch"],
      case .branch(let other) = graph.nodes[1].attributes["else_branch"]
    else {
      Issue.record("no branches")
      return
    }
    #expect(then.nodes.map(\.operation) == ["Add", "Identity"])
    #expect(other.nodes.map(\.operation) == ["Add", "Add", "Identity"])
    let names = (graph.nodes + then.nodes + other.nodes).map(\.output)
    #expect(Set(names).count == names.count)
  }
}

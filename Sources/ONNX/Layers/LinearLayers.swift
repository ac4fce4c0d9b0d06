import NeuralNetworks
import Tensors

extension Linear {
  /// `[B, inputSize]` to `[B, outputSize]`.
  public func callAsFunction(_ x: ONNXValue, in graph: inout ONNXGraph) -> ONNXValue {
    callAsFunction([x], in: &graph)
  }

  /// The layer of an input that comes in parts, `[B, ...]` or `[1, ...]`, one after another: a sum
  /// with a summand for each, of which those that do not change from step to step are computed once.
  ///
  /// - Returns: `[B, outputSize]`, or `[1, outputSize]` of parts that are all shared by the batch.
  public func callAsFunction(
    _ parts: [ONNXValue], in graph: inout ONNXGraph
  ) -> ONNXValue {
    var end = parts.reduce(0) { $0 + $1.size(1) }
    precondition(
      end == weight.value.shape[1], "\(end) inputs of a layer of \(weight.value.shape[1])")
    var sum: ONNXValue?
    // The last one, which a step does not change, has the bias.
    for part in parts.reversed() {
      let columns = (end - part.size(1))..<end
      end = columns.lowerBound
      let bias = sum == nil ? bias.map { graph.weight($0) } : nil
      let summand = graph.node(
        "Gemm", [part, graph.weight(weight, columns: columns)] + (bias.map { [$0] } ?? []),
        ["transB": .int(1)], shape: [part.shape[0], weight.value.shape[0]])
      sum = sum.map { graph.add(summand, $0) } ?? summand
    }
    guard let sum else { preconditionFailure("a layer of no input") }
    return sum
  }
}

extension MLP {
  /// `[B, sizes.first]`, in one part or several, to `[B, sizes.last]`.
  public func callAsFunction(_ parts: [ONNXValue], in graph: inout ONNXGraph) -> ONNXValue {
    var input = parts
    for (index, block) in blocks.enumerated() {
      let sum = block.linear(input, in: &graph)
      let isLast = index == blocks.count - 1
      input = [
        graph.apply(
          isLast ? outputActivation : activation, to: block.norm.map { $0(sum, in: &graph) } ?? sum)
      ]
    }
    return input[0]
  }
}

extension ResidualMLP {
  /// `[B, sizes.first]`, in one part or several, to `[B, sizes.last]`.
  public func callAsFunction(_ parts: [ONNXValue], in graph: inout ONNXGraph) -> ONNXValue {
    var hidden = input(parts, in: &graph)
    for block in blocks { hidden = block(hidden, activation: activation, in: &graph) }
    let sum = output(hidden, in: &graph)
    return graph.apply(
      outputActivation, to: outputNorm.map { $0(sum, in: &graph) } ?? sum)
  }
}

extension ResidualMLP.Block {
  /// x + l2(act(norm2(l1(act(norm1(x))))))
  fileprivate func callAsFunction(
    _ x: ONNXValue, activation: Activation, in graph: inout ONNXGraph
  ) -> ONNXValue {
    let entered = graph.apply(activation, to: firstNorm.map { $0(x, in: &graph) } ?? x)
    let sum = first(entered, in: &graph)
    let middle = graph.apply(activation, to: secondNorm.map { $0(sum, in: &graph) } ?? sum)
    return graph.add(second(middle, in: &graph), x)
  }
}

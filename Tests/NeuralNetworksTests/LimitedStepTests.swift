import NeuralNetworks
import Tensors
import TestSupport
import Testing

@Suite struct LimitedStepTests {
  private final class Point: Module {
    let x = Parameter(Tensor([1, 1]))

    func collect(into parameters: inout NamedParameters) { parameters.add("x", x) }
  }

  private let point = Point()

  private func gradients(_ elements: [Float]) -> Gradients {
    var gradients = Gradients()
    gradients[point.x.leaf] = Tensor(elements)
    return gradients
  }

  @Test func gradientsAreScaledDownToTheLimit() throws {
    let optimizer = SGD(point.parameters, learningRate: 1)
    let norm = try optimizer.step(
      gradients([3, -4]), of: point.parameters, normLimit: 1, loss: 7)
    #expect(norm == 5)
    expectClose(point.x.value, Tensor([0.4, 1.8]), relative: 1e-6, "limited step")
  }

  @Test(arguments: [0, 6] as [Double]) func smallGradientsAreNotScaled(_ limit: Double) throws {
    let optimizer = SGD(point.parameters, learningRate: 1)
    try optimizer.step(gradients([3, -4]), of: point.parameters, normLimit: limit, loss: 7)
    #expect(point.x.value.elements == [-2, 5])
  }

  @Test(arguments: [0, 1] as [Double]) func nothingChangesWhereSomethingIsNotFinite(
    _ limit: Double
  ) {
    let optimizer = SGD(point.parameters, learningRate: 1)
    #expect(throws: NonFiniteGradient.self) {
      try optimizer.step(
        gradients([3, .nan]), of: point.parameters, normLimit: limit, loss: 7)
    }
    #expect(throws: NonFiniteGradient.self) {
      try optimizer.step(
        gradients([3, -4]), of: point.parameters, normLimit: limit, loss: .infinity, "value loss")
    }
    #expect(point.x.value.elements == [1, 1])
  }
}

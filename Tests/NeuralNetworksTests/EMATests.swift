import NeuralNetworks
import Tensors
import Testing

/// The exponential moving average of weights, EMA.
struct EMATests {
  private final class Weight: Module {
    let weight = Parameter(Tensor([1]))
    func collect(into parameters: inout NamedParameters) { parameters.add("weight", weight) }
  }

  private let network = Weight()

  private func value(_ average: ExponentialMovingAverage) throws -> Float {
    try #require(average.values["weight"]).scalar
  }

  @Test func emaKeepsItsDecay() throws {
    var average = ExponentialMovingAverage(of: network.parameters, decay: 0.75)
    network.weight.value = Tensor([5])
    average.update(from: network.parameters)
    // 1 + (5 - 1) / 4
    #expect(try value(average) == 2)
    average.update(from: network.parameters)
    // 2 + (5 - 2) / 4
    #expect(try value(average) == 2.75)
    #expect(average.updateCount == 2)
    average.reset(to: network.parameters)
    #expect(try value(average) == 5)
  }

  /// Decays of 2 / 11 and 3 / 12, and no more than 0.3: 4 / 13 is more.
  @Test func emaWarmsUp() throws {
    var average = ExponentialMovingAverage(of: network.parameters, decay: 0.3, warmsUp: true)
    for (weight, expected) in [(12, 10), (22, 19), (29, 26)] as [(Float, Float)] {
      network.weight.value = Tensor([weight])
      average.update(from: network.parameters)
      #expect(abs(try value(average) - expected) <= 1e-5)
    }
  }

  /// A restored average goes on with its warm-up: the second update keeps 3 / 12.
  @Test func emaWarmUpIsResumed() throws {
    var average = ExponentialMovingAverage(of: network.parameters, decay: 0.9, warmsUp: true)
    try average.restore(["weight": Tensor([10])], updateCount: 1)
    network.weight.value = Tensor([22])
    average.update(from: network.parameters)
    #expect(abs(try value(average) - 19) <= 1e-5)
    #expect(throws: ParameterError.self) { try average.restore([:], updateCount: 1) }
  }
}

import Tensors
import TestSupport
import Testing

@testable import NeuralNetworks

/// 100 steps of every optimizer against torch.optim.
@Suite struct OptimizerGoldenTests {
  private let goldens: GoldenTensors

  init() throws { goldens = try GoldenTensors("NeuralNetworks/optimizers.safetensors") }

  private final class Pair: Module {
    let first: Parameter
    let second: Parameter

    init(_ goldens: GoldenTensors, _ name: String) throws {
      first = Parameter(try goldens["\(name)/start.first"])
      second = Parameter(try goldens["\(name)/start.second"])
    }

    func collect(into parameters: inout NamedParameters) {
      parameters.add("first", first)
      parameters.add("second", second)
    }

    func gradients(_ row: Tensor) -> Gradients {
      var gradients = Gradients()
      gradients[first.leaf] = row.slice(0..<15).reshaped(to: [5, 3])
      gradients[second.leaf] = row.slice(15..<19)
      return gradients
    }

    var row: Tensor {
      Tensor.concatenated([first.value.reshaped(to: [15]), second.value], along: 0)
    }
  }

  private static let cases: [String: @Sendable (NamedParameters) -> any Optimizer] = [
    "sgd": { SGD($0, learningRate: 0.1) },
    "sgd-momentum": {
      SGD($0, learningRate: 0.05, momentum: 0.9, dampening: 0.3, weightDecay: 0.02)
    },
    "sgd-nesterov": { SGD($0, learningRate: 0.05, momentum: 0.8, isNesterov: true) },
    "adam": { Adam($0, learningRate: 1e-2) },
    "adam-penalty": {
      Adam(
        $0, learningRate: 1e-2, beta1: 0.8, beta2: 0.99, epsilon: 1e-5,
        weightDecay: .penalty(0.1))
    },
    "adamw": { Adam.withDecoupledDecay($0, learningRate: 1e-2, weightDecay: 0.05) },
    "adamw-clipped": { Adam.withDecoupledDecay($0, learningRate: 1e-2) },
  ]

  @Test(arguments: cases.keys.sorted()) func agrees(_ name: String) throws {
    let pair = try Pair(goldens, name)
    var optimizer = Self.cases[name]!(pair.parameters)
    let gradients = try goldens["\(name)/gradients"]
    let trace = try goldens["\(name)/trace"]
    #expect(gradients.shape == [100, 19])
    for step in 0..<100 {
      let gradient = pair.gradients(gradients[step])
      let scale =
        name.hasSuffix("clipped")
        ? gradient.clippingScale(maximumNorm: 1.5, parameters: pair.parameters).scale : 1
      optimizer.step(gradient, gradientScale: scale)
      expectClose(pair.row, trace[step], "\(name) after step \(step + 1)")
      if step == 49 {
        // A copy that goes on from the saved state must not notice the break.
        let state = optimizer.state
        optimizer = Self.cases[name]!(pair.parameters)
        try optimizer.restore(state)
      }
    }
  }

  @Test func cosineSchedule() throws {
    let schedule = LearningRateSchedule.cosine(initial: 0.3, final: 0.01, stepCount: 40)
    let rates = Tensor((0...40).map { Float(schedule.rate(atStep: $0)) })
    expectClose(rates, try goldens["schedule-cosine/rates"], "cosine schedule")
    #expect(schedule.rate(atStep: 500) == schedule.rate(atStep: 40))
  }
}

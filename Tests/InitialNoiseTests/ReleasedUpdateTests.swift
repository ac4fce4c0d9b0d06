import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import InitialNoise

/// Against the functions of the released code (`Tests/Goldens/InitialNoise/generate.py`).
struct ReleasedUpdateTests {
  @Test func tenUpdatesMatchTheReleasedCode() throws {
    let goldens = try GoldenTensors("InitialNoise/released.safetensors")
    let noises = try goldens["noises"]
    let rewards = try goldens["rewards"].elements
    var configuration = FINDConfiguration.released
    configuration.iterations = rewards.count
    configuration.releasedLearningRate = 8e-2
    configuration.releasedBufferCount = 3
    let find = try PriorLearner(
      process: oneStep, shape: Array(noises.shape.dropFirst()),
      promptEmbedding: try goldens["embedding"],
      configuration: configuration, seed: 0)
    let parameters = try #require(find.baselineParameters)
    for (position, (_, parameter)) in parameters.enumerated() {
      let scale = parameter.value.rank == 2 ? 0.05 : 0.1
      parameter.value = Tensor(shape: parameter.value.shape) { result in
        for index in result.indices {
          result[index] = Float(cos(Double(index) * 0.37 + Double(position)) * scale)
        }
      }
    }
    let (means, stds) = (try goldens["means"], try goldens["stds"])
    for iteration in rewards.indices {
      let report = try find.learn(
        from: noises.slice(iteration..<iteration + 1), rewards: [rewards[iteration]])
      #expect(report.gradientNorm > 0)
      let prior = find.prior
      for (found, wanted) in [(prior.mean, means), (prior.standardDeviation, stds)] {
        let expected = wanted.slice(iteration..<iteration + 1)
        #expect(found.count == expected.count)
        let difference = zip(found.elements, expected.elements).map { abs($0 - $1) }.max() ?? .nan
        #expect(difference <= 1e-5, "iteration \(iteration + 1)")
      }
    }
    #expect(find.prior.shift > 0.1)
  }
}

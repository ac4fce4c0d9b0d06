import Diffusion
import Foundation
import NeuralNetworks
import Tensors

/// Four Gaussians in the plane with weights that a sampler has to get right.
struct MixtureOfGaussians {
  let centres: [(x: Float, y: Float)] = [(-1.2, -0.9), (1.3, -0.7), (-0.6, 1.2), (0.9, 0.9)]
  let weights: [Float] = [0.4, 0.3, 0.2, 0.1]
  let std: Float = 0.25

  /// `[count, 2]`
  func samples(_ count: Int, random: inout RandomStream) -> Tensor {
    let components = random.choice(count, weights: weights.map(Double.init))
    let table = Tensor(
      shape: [centres.count, 2], elements: centres.flatMap { [$0.x, $0.y] })
    return table.gather(components) + random.normal([count, 2]) * std
  }

  func nearestComponent(x: Float, y: Float) -> Int {
    func distance(_ index: Int) -> Float {
      let (dx, dy) = (x - centres[index].x, y - centres[index].y)
      return dx * dx + dy * dy
    }
    return centres.indices.min { distance($0) < distance($1) } ?? 0
  }

  /// The mean of x_0 given x = a x_0 + s e, in closed form: what a perfect network knows.
  func expectedSample(_ noisy: Tensor, signalScale a: Double, noiseScale s: Double) -> Tensor {
    let clean = Double(std * std)
    let variance = a * a * clean + s * s
    let elements = noisy.elements.map(Double.init)
    return Tensor(shape: noisy.shape) { result in
      for row in 0..<noisy.shape[0] {
        let (x, y) = (elements[2 * row], elements[2 * row + 1])
        let offsets = centres.map { (x - a * Double($0.x), y - a * Double($0.y)) }
        let logWeights = zip(weights, offsets).map { weight, offset in
          log(Double(weight)) - (offset.0 * offset.0 + offset.1 * offset.1) / (2 * variance)
        }
        let maximum = logWeights.max() ?? 0
        let fractions = logWeights.map { exp($0 - maximum) }
        let total = fractions.reduce(0, +)
        var mean = (x: 0.0, y: 0.0)
        for (index, fraction) in fractions.enumerated() {
          let shrink = a * clean / variance
          mean.x += fraction / total * (Double(centres[index].x) + shrink * offsets[index].0)
          mean.y += fraction / total * (Double(centres[index].y) + shrink * offsets[index].1)
        }
        result[2 * row] = Float(mean.x)
        result[2 * row + 1] = Float(mean.y)
      }
    }
  }

  /// What samples look like by component.
  struct Component {
    var weight: Float
    var mean: (x: Float, y: Float)
    var std: Float
  }

  func components(of samples: Tensor) -> [Component] {
    let elements = samples.elements.map(Double.init)
    var sums = [[Double]](repeating: [0, 0, 0, 0], count: centres.count)
    let count = samples.shape[0]
    for row in 0..<count {
      let (x, y) = (elements[2 * row], elements[2 * row + 1])
      let index = nearestComponent(x: Float(x), y: Float(y))
      for (position, value) in [1, x, y, x * x + y * y].enumerated() {
        sums[index][position] += value
      }
    }
    return sums.map { sum in
      let (x, y) = (sum[1] / sum[0], sum[2] / sum[0])
      let variance = (sum[3] / sum[0] - x * x - y * y) / 2
      return Component(
        weight: Float(sum[0] / Double(count)), mean: (Float(x), Float(y)),
        std: Float(variance.squareRoot()))
    }
  }
}

/// An MLP of the plane and the time step.
final class PlaneDenoiser: Module {
  private let network: MLP
  /// The embeddings of whole time steps; those between are taken for the nearest.
  private let embeddings = SinusoidalEmbedding(size: 32)((0...1000).map(Float.init))

  init(random: inout RandomStream) {
    network = MLP(sizes: [34, 96, 96, 96, 2], activation: .mish, random: &random)
  }

  func callAsFunction(_ sample: Tensor, _ timeSteps: Broadcast<Float>) -> Tensor {
    let rows = timeSteps.map { Int($0.rounded()) }.values(count: sample.shape[0])
    let time = embeddings.gather(rows)
    return network(.concatenated([sample, time], along: 1))
  }

  func collect(into parameters: inout NamedParameters) { parameters.add("network", network) }

  /// Learns the targets that `example` makes of clean samples and noise.
  func train(
    _ mixture: MixtureOfGaussians, iterations: Int, random: inout RandomStream,
    example: (
      _ clean: Tensor, _ noise: Tensor, _ random: inout RandomStream
    ) -> (input: Tensor, timeSteps: Broadcast<Float>, target: Tensor)
  ) {
    let adam = Adam(parameters, learningRate: 3e-3)
    var average = ExponentialMovingAverage(of: parameters, decay: 0.99)
    for iteration in 0..<iterations {
      let clean = mixture.samples(256, random: &random)
      let noise = random.normal([256, 2])
      let (input, timeSteps, target) = example(clean, noise, &random)
      let (_, gradients) = valueAndGradients {
        Losses.meanSquaredError(self(input, timeSteps), target)
      }
      adam.learningRate = 3e-3 * (1 - Float(iteration) / Float(iterations)) + 1e-5
      adam.step(gradients, gradientScale: 1)
      average.update(from: parameters)
    }
    let averages = average.values
    for (name, parameter) in parameters { parameter.value = averages[name] ?? parameter.value }
  }
}

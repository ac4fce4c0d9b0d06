import Diffusion
import NeuralNetworks
import Tensors

/// A denoising step of the Hopper policy for 40 environments, chunk by chunk `[40, 4, 3]`: the
/// network, and the sampler's own arithmetic, which is to stay below 3% of it.
extension BenchmarkCase {
  static var denoisingSteps: [BenchmarkCase] {
    [
      BenchmarkCase(name: "ddim-step-40x100") {
        let sampler = DDIMSampler(.policyCosine(timeStepCount: 100), count: 5, estimateLimit: 1)
        return { random in
          let (x, prediction) = (random.normal([40, 4, 3]), random.normal([40, 4, 3]))
          return {
            for call in 0..<100 {
              let transition = sampler.transition(
                from: x, prediction: prediction, at: .shared(call % 5))
              consume(transition.mean)
            }
          }
        }
      },
      BenchmarkCase(name: "hopper-denoiser-40x100") {
        var random = RandomStream(seed: 1, purpose: "weights")
        let policy = ResidualMLP(
          sizes: [39, 512, 512, 512, 12], activation: .relu, random: &random)
        return { random in
          let x = random.normal([40, 39])
          return { for _ in 0..<100 { consume(shardedMap(count: 40) { policy(x.slice($0)) }) } }
        }
      },
    ]
  }
}

import NeuralNetworks
import Tensors

/// The networks of DPPO's Hopper setting: policy 39 -> 512^3 -> 12 (ReLU, residual) and critic
/// 11 -> 256^3 -> 1 (Mish).
private struct HopperNetworks {
  let policy: ResidualMLP
  let critic: MLP
  let policyOptimizer: Adam
  let criticOptimizer: Adam

  init() {
    var random = RandomStream(seed: 1, purpose: "weights")
    policy = ResidualMLP(
      sizes: [39, 512, 512, 512, 12], activation: .relu, random: &random)
    critic = MLP(sizes: [11, 256, 256, 256, 1], activation: .mish, random: &random)
    policyOptimizer = .withDecoupledDecay(policy.parameters, learningRate: 1e-4)
    criticOptimizer = .withDecoupledDecay(critic.parameters, learningRate: 1e-3)
  }

  /// Multiplications and additions of one sample, forward.
  static let operationCount =
    2.0 * Double(39 * 512 + 2 * 512 * 512 + 512 * 12 + 11 * 256 + 2 * 256 * 256 + 256)

  func update(_ x: Tensor, _ target: Tensor, _ state: Tensor, _ value: Tensor) {
    let count = x.shape[0]
    let (policy, critic) = (policy, critic)
    let step = shardedValueAndGradients(count: count, shardSize: 252) { range in
      let policyError = policy(x.slice(range)) - target.slice(range)
      let criticError = critic(state.slice(range)) - value.slice(range)
      let loss =
        policyError.squared().sum() / Float(count * 12)
        + criticError.squared().sum() / Float(count)
      return ShardResult(loss: loss)
    }
    policyOptimizer.step(step.gradients)
    criticOptimizer.step(step.gradients)
    precondition(!step.loss.isNaN)
  }
}

extension BenchmarkCase {
  static var policies: [BenchmarkCase] {
    [
      BenchmarkCase(
        name: "dppo-update-50000", operationCount: 3 * 50_000 * HopperNetworks.operationCount
      ) {
        let networks = HopperNetworks()
        return { random in
          let x = random.normal([50_000, 39])
          let target = random.normal([50_000, 12])
          let state = random.normal([50_000, 11])
          let value = random.normal([50_000, 1])
          return { networks.update(x, target, state, value) }
        }
      },
      BenchmarkCase(
        name: "policy-40x20",
        operationCount: 20 * 40 * 2 * Double(39 * 512 + 2 * 512 * 512 + 512 * 12)
      ) {
        let networks = HopperNetworks()
        return { random in
          let inputs = (0..<20).map { _ in random.normal([40, 39]) }
          return {
            let policy = networks.policy
            for x in inputs { consume(shardedMap(count: 40) { policy(x.slice($0)) }) }
          }
        }
      },
    ]
  }
}

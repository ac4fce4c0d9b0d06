import NeuralNetworks
import Tensors
import TextToImage
import TextToVideo

extension BenchmarkCase {
  /// The U-Net of samples/sprites/train.yaml with random weights, on clips of 8 frames of 16 x 16
  /// positions: what one step of sampling 16 clips takes, and a training step of 8.
  static var textToVideo: [BenchmarkCase] {
    [
      BenchmarkCase(name: "clip-unet-16x8x16x16") {
        let network = spriteNetwork()
        return { random in
          let sample = random.normal([16, 8, 16, 16, 12])
          let prompt = random.normal([16, 40, 128])
          return {
            consume(
              network.sharded(sample, timeSteps: .shared(500), context: network.context(prompt)))
          }
        }
      },
      BenchmarkCase(name: "clip-unet-train-8x8x16x16") {
        let network = spriteNetwork()
        let optimizer = Adam.withDecoupledDecay(network.parameters, learningRate: 1e-4)
        return { random in
          let sample = random.normal([8, 8, 16, 16, 12])
          let target = random.normal(sample.shape)
          let prompt = random.normal([8, 40, 128])
          let times = (0..<8).map { _ in Float(random.integer(below: 1_000)) }
          return {
            let step = shardedValueAndGradients(count: 8, shardSize: 2) { rows in
              let prediction = network.prediction(
                sample.slice(rows), timeSteps: .perRow(Array(times[rows])),
                context: network.context(prompt.slice(rows)))
              let error = (prediction - target.slice(rows)).squared().sum()
              return ShardResult(loss: error / Float(sample.count))
            }
            optimizer.step(step.gradients)
            precondition(!step.loss.isNaN)
          }
        }
      },
    ]
  }

  private static func spriteNetwork() -> UNet3DConditionModel {
    var configuration = UNet3DConfiguration()
    configuration.inputChannels = 12
    configuration.outputChannels = 12
    configuration.blockChannels = [32, 64, 128]
    configuration.downBlocks = [.plain, .crossAttention, .crossAttention]
    configuration.upBlocks = [.crossAttention, .crossAttention, .plain]
    configuration.layerCount = 1
    configuration.normGroupCount = 16
    configuration.crossAttentionSize = 128
    configuration.headSize = 8
    var weights = RandomStream(seed: 3, purpose: "weights")
    return UNet3DConditionModel(configuration, random: &weights)
  }
}

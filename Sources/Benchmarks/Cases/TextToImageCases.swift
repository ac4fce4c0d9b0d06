import Tensors
import TextToImage

extension BenchmarkCase {
  /// Networks of Stable Diffusion 1.5's sizes with random weights, on one latent of 64 x 64.
  static var textToImage: [BenchmarkCase] {
    [
      BenchmarkCase(name: "unet-sd15-1x64x64") {
        var weights = RandomStream(seed: 3, purpose: "weights")
        let network = UNet2DConditionModel(UNetConfiguration(), random: &weights)
        return { random in
          let sample = random.normal([1, 64, 64, 4])
          let prompt = random.normal([1, 77, 768])
          return {
            consume(network(sample, timeSteps: .shared(500), context: network.context(prompt)))
          }
        }
      },
      BenchmarkCase(name: "vae-decode-sd15-1x64x64") {
        var weights = RandomStream(seed: 3, purpose: "weights")
        let autoencoder = AutoencoderKL(AutoencoderConfiguration(), random: &weights)
        return { random in
          let latents = random.normal([1, 64, 64, 4])
          return { consume(autoencoder.decode(latents)) }
        }
      },
    ]
  }
}

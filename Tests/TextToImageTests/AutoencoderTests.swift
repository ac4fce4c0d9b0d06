import Files
import Tensors
import TestSupport
import Testing

@testable import TextToImage

/// Autoencoders against diffusers', at small sizes with each option.
@Suite struct AutoencoderTests {
  private func network(_ json: JSONValue) throws -> AutoencoderKL {
    var random = RandomStream(seed: 1)
    let network = AutoencoderKL(
      try AutoencoderConfiguration(json: json, path: "config.json"), random: &random)
    GoldenNetworks.drawWeights(network)
    return network
  }

  @Test func latentsAndImagesAreThoseOfDiffusers() throws {
    let goldens = try NetworkGoldens("autoencoders")
    #expect(goldens.cases.count >= 5)
    var maximum: Float = 0
    for (name, golden) in goldens.cases {
      let network = try network(try #require(golden["configuration"]))
      let configuration = network.configuration
      #expect(
        try AutoencoderConfiguration(json: configuration.json, path: "config.json")
          == configuration, "\(name)")
      var random = GoldenNetworks.inputs
      let images = random.image(
        2, configuration.imageChannels, golden["height"]?.integer ?? 0,
        golden["width"]?.integer ?? 0)
      let isTiled = name == "tiles"
      let distribution = network.encode(images, isTiled: isTiled)
      let mean = try goldens.result("\(name)/mean")
      let latents = random.image(2, configuration.latentChannels, mean.shape[1], mean.shape[2])
      let results = [
        ("mean", distribution.mean), ("logvar", distribution.logVariance),
        ("image", network.decode(latents, isTiled: isTiled)),
      ]
      for (part, result) in results {
        let error = relativeError(result, try goldens.result("\(name)/\(part)"))
        #expect(error <= 1e-4, "\(name), \(part): relative error \(error)")
        maximum = max(maximum, error)
      }
      let scaled = network.scaled(latents)
      #expect(relativeError(network.unscaled(scaled), latents) <= 1e-5)
      #expect(
        relativeError(
          scaled, (latents - configuration.shiftFactor) * configuration.scalingFactor) == 0)
    }
    print("greatest relative error of \(goldens.cases.count) autoencoders: \(maximum)")
  }

  @Test func samplesSpreadAsTheVarianceSays() {
    let distribution = AutoencoderKL.LatentDistribution(
      mean: Tensor([1, 2]), logVariance: Tensor([0, 2 * 0.6931472]))
    let sample = distribution.sample(noise: Tensor([0.5, -1]))
    #expect(relativeError(sample, Tensor([1.5, 0])) <= 1e-6)
  }

  @Test func unsupportedKeysAreRefusedByName() throws {
    let goldens = try NetworkGoldens("autoencoders")
    let good = try #require(goldens.cases["two blocks"]?["configuration"]?.members)
    let bad: [(String, JSONValue)] = [
      ("latents_mean", [0.1]), ("latents_std", [1.0]), ("scaling_factor", 0),
      ("down_block_types", ["AttnDownEncoderBlock2D", "DownEncoderBlock2D"]),
      ("up_block_types", ["UpDecoderBlock2D"]), ("norm_num_groups", 5), ("sample_rate", 2),
      ("out_channels", 4),
    ]
    for (key, value) in bad {
      var members = good
      members[key] = value
      let error = #expect(throws: FileError.self, "\(key)") {
        try AutoencoderConfiguration(json: .object(members), path: "vae/config.json")
      }
      #expect(error?.description.contains(key) == true, "\(key)")
    }
  }
}

import Files
import Foundation
import GenerativeModels
import Tensors
import TestSupport
import Testing

@testable import TextToImage

/// The tiny autoencoder against diffusers', alone, as a model's own and as a decoder beside it.
@Suite struct AutoencoderTinyTests {
  private func network(_ json: JSONValue) throws -> AutoencoderTiny {
    var random = RandomStream(seed: 1)
    let network = AutoencoderTiny(
      try AutoencoderTinyConfiguration(json: json, path: "config.json"), random: &random)
    GoldenNetworks.drawWeights(network)
    return network
  }

  @Test func latentsAndImagesAreThoseOfDiffusers() throws {
    let goldens = try NetworkGoldens("tiny autoencoders")
    #expect(goldens.cases.count == 2)
    for (name, golden) in goldens.cases {
      let network = try network(try #require(golden["configuration"]))
      let configuration = network.configuration
      #expect(
        try AutoencoderTinyConfiguration(json: configuration.json, path: "config.json")
          == configuration, "\(name)")
      var random = GoldenNetworks.inputs
      let images = random.image(2, 3, 16, 24)
      let latents = network.encode(images)
      let expected = try goldens.result("\(name)/latents")
      #expect(relativeError(latents, expected) <= 1e-5, "\(name), latents")
      #expect(latents.shape[1] == 16 / network.reduction)
      let noise =
        3 * random.image(2, configuration.latentChannels, expected.shape[1], expected.shape[2])
      let image = network.decode(noise)
      #expect(relativeError(image, try goldens.result("\(name)/image")) <= 1e-5, "\(name), image")
      // What a U-Net sees, and back.
      let samples = network.samples(ofImages: images, noise: nil)
      let scaled = (latents - configuration.shiftFactor) * configuration.scalingFactor
      #expect(maxDifference(samples, scaled) == 0)
      #expect(
        relativeError(
          network.images(ofSamples: samples, isTiled: true), network.decode(latents)) <= 1e-5)
    }
  }

  @Test func unsupportedKeysAreRefusedByName() throws {
    let goldens = try NetworkGoldens("tiny autoencoders")
    let good = try #require(goldens.cases["taesd"]?["configuration"]?.members)
    let bad: [(String, JSONValue)] = [
      ("upsample_fn", "bilinear"), ("upsampling_scaling_factor", 3), ("act_fn", "elu"),
      ("encoder_block_out_channels", [8, 8, 8, 16]), ("decoder_block_out_channels", [8]),
      ("num_decoder_blocks", [3, 3, 1]), ("scaling_factor", 0), ("out_channels", 4),
      ("_class_name", "AutoencoderKL"), ("a_new_key", 1),
    ]
    for (key, value) in bad {
      var members = good
      members[key] = value
      let error = #expect(throws: FileError.self, "\(key)") {
        try AutoencoderTinyConfiguration(json: .object(members), path: "vae/config.json")
      }
      let text = error?.description ?? ""
      let isNamed = text.contains(key) || text.contains("decoder_block_out_channels")
      #expect(isNamed && text.contains("vae/config.json"), "\(key): \(text)")
    }
  }

  /// The tiny autoencoder of `make_samplers.py` as a folder.
  private func writeTiny(
    _ folder: String, channels: Int = 4, blocks: Int = 2
  ) throws -> AutoencoderTiny {
    var configuration = AutoencoderTinyConfiguration()
    (configuration.encoderChannels, configuration.decoderChannels) = (8, 8)
    configuration.latentChannels = channels
    configuration.encoderBlocks = [Int](repeating: 1, count: blocks)
    configuration.decoderBlocks = configuration.encoderBlocks
    let network = try network(configuration.json)
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true)
    try configuration.json.write(to: "\(folder)/config.json")
    try AutoencoderFolder.weights(folder).write(
      network, as: .float32, maxShardByteCount: 1_000_000)
    return network
  }

  private func images(_ model: TextToImageModel) throws -> Tensor {
    try TextToImagePipeline(model).images(
      prompts: TinyModel.prompts, negativePrompts: TinyModel.negativePrompts,
      seeds: TinyModel.seeds, settings: TinyModel.settings)
  }

  @Test func imagesOfAFolderAreThoseOfDiffusers() throws {
    let tiny = try TinyModel()
    try FileManager.default.removeItem(atPath: tiny.file("vae"))
    _ = try writeTiny(tiny.file("vae"))
    var index = try #require(try JSONValue(path: tiny.file("model_index.json")).members)
    index["vae"] = ["diffusers", "AutoencoderTiny"]
    try JSONValue.object(index).write(to: tiny.file("model_index.json"))
    let model = try tiny.load()
    #expect(model.reduction == 2 && model.autoencoder is AutoencoderTiny)
    let expected = try SafetensorsFile(path: Goldens.path("samplers.safetensors"))
      .tensor(named: "tiny decoder")
    let found = try images(model)
    #expect(maxDifference(found, expected) <= 2 / 255)
    // Written and read again.
    let copy = tiny.sibling("copy")
    try model.write(folder: copy)
    let again = try TextToImageModel(folder: copy)
    #expect(again.fingerprint == model.fingerprint)
    #expect(maxDifference(try images(again), found) == 0)
    #expect(again.parameters.contains { $0.name == "vae.decoder.layers.2.conv.4.bias" })
  }

  /// A decoder beside a model draws, and is no part of it.
  @Test func decodersDrawInPlaceOfTheModelsOwn() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let folder = tiny.sibling("taesd")
    _ = try writeTiny(folder)
    let fast = try model.decoding(by: folder)
    let expected = try SafetensorsFile(path: Goldens.path("samplers.safetensors"))
      .tensor(named: "tiny decoder")
    #expect(maxDifference(try images(fast), expected) <= 2 / 255)
    #expect(fast.fingerprint == model.fingerprint)
    #expect(fast.parameters.count == model.parameters.count)
    let own = try images(model)
    #expect(maxDifference(own, expected) > 0.05)
    #expect(maxDifference(try images(fast.decodingByItself()), own) == 0)
    // A model's own kind of autoencoder serves too.
    let same = try model.decoding(by: tiny.file("vae"))
    #expect(maxDifference(try images(same), own) == 0)
    // Samples of images are still those of the autoencoder that the U-Net knows.
    var random = RandomStream(seed: 2)
    let pixels = random.uniform([1, 8, 8, 3])
    #expect(maxDifference(fast.samples(ofImages: pixels), model.samples(ofImages: pixels)) == 0)
  }

  @Test func decodersOfOtherSamplesAreRefused() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let (wide, deep) = (tiny.sibling("wide"), tiny.sibling("deep"))
    _ = try writeTiny(wide, channels: 16)
    _ = try writeTiny(deep, blocks: 3)
    let pixels = try TinyModel.inPixelSpace(model)
    let cases: [(TextToImageModel, String, String)] = [
      (model, wide, "latent_channels"), (model, deep, "a reduction of 4"),
      (pixels, tiny.file("vae"), "works on pixels"),
      (model, tiny.file("unet"), "AutoencoderKL, AutoencoderTiny"),
      (model, tiny.file("model_index.json"), "the folder of a decoder"),
      (model, tiny.sibling("nothing"), "does not exist"),
    ]
    for (model, folder, text) in cases {
      let error = #expect(throws: FileError.self, "\(text)") { try model.decoding(by: folder) }
      #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
    }
  }
}

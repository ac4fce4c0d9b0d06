import Diffusion
import Files
import GenerativeModels
import Tensors
import TestSupport
import Testing

@testable import TextToImage

/// Images by schedulers as diffusers saves them, and by a U-Net that is told the guidance scale,
/// against diffusers' pipelines.
@Suite struct SamplerImageTests {
  private let goldens: SafetensorsFile
  private let schedulers: [String: JSONValue]
  private let parts: TextToImageModel

  init() throws {
    goldens = try SafetensorsFile(path: Goldens.path("samplers.safetensors"))
    schedulers = try #require(try JSONValue(path: Goldens.path("samplers.json")).members)
    parts = try TinyModel().load()
  }

  private func images(
    _ name: String, unet: UNet2DConditionModel? = nil, guidance: Float = 5
  ) throws -> Tensor {
    let model = try TextToImageModel(
      tokenizer: parts.tokenizer, textEncoder: parts.textEncoder, unet: unet ?? parts.unet,
      autoencoder: parts.autoencoder,
      scheduler: SchedulerConfiguration(json: try #require(schedulers[name]), path: "s.json"))
    var settings = TinyModel.settings
    settings.guidance = Guidance(scale: guidance)
    return try TextToImagePipeline(model).images(
      prompts: TinyModel.prompts, negativePrompts: TinyModel.negativePrompts,
      seeds: TinyModel.seeds, settings: settings)
  }

  /// Without a sampler chosen: the file says all.
  @Test func imagesOfSavedSchedulersAreThoseOfDiffusers() throws {
    let names = goldens.names.filter { !$0.hasPrefix("distilled") && $0 != "tiny decoder" }
    #expect(names.count == 9)
    var all: [Tensor] = []
    for name in names {
      let (found, expected) = (try images(name), try goldens.tensor(named: name))
      let difference = maxDifference(found, expected)
      #expect(difference <= 2 / 255, "\(name): \(difference)")
      // No golden is met by another's scheduler.
      for other in all { #expect(maxDifference(found, other) > 3 * difference, "\(name)") }
      all.append(expected)
    }
  }

  /// One network run with the scale told, whatever the scale.
  @Test func distilledNetworksAreToldTheGuidanceScale() throws {
    var configuration = parts.unet.configuration
    configuration.guidanceEmbeddingSize = 8
    var random = RandomStream(seed: 1)
    let unet = UNet2DConditionModel(configuration, random: &random)
    GoldenNetworks.drawWeights(unet)
    let plain = try goldens.tensor(named: "distilled, 1")
    for guidance in [7.5, 1] as [Float] {
      let name = "distilled, \(guidance == 1 ? "1" : "7.5")"
      let found = try images(name, unet: unet, guidance: guidance)
      let difference = maxDifference(found, try goldens.tensor(named: name))
      #expect(difference <= 2 / 255, "\(name): \(difference)")
      if guidance != 1 { #expect(maxDifference(found, plain) > 3 * difference) }
    }
  }

  /// A folder of a distilled model says another pipeline's class.
  @Test func foldersOfLatentConsistencyModelsAreRead() throws {
    let tiny = try TinyModel()
    let path = tiny.file("model_index.json")
    var index = try #require(try JSONValue(path: path).members)
    index["_class_name"] = "LatentConsistencyModelPipeline"
    try JSONValue.object(index).write(to: path)
    #expect(try tiny.load().unet.parameters.count > 0)
  }

  @Test func sizesOfGuidanceEmbeddingsAreChecked() throws {
    for size in [2, 7] {
      var members = try #require(parts.unet.configuration.json.members)
      members["time_cond_proj_dim"] = .number(Double(size))
      let error = #expect(throws: FileError.self) {
        try UNetConfiguration(json: .object(members), path: "config.json")
      }
      #expect(error?.description.contains("time_cond_proj_dim") == true)
    }
  }
}

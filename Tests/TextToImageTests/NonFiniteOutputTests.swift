import GenerativeModels
import Tensors
import TestSupport
import Testing

@testable import TextToImage

/// Numbers that are none stop where they come from, instead of becoming black images.
@Suite struct NonFiniteOutputTests {
  /// A model one of whose weights has a first element that is spoilt.
  private func model(_ name: String, _ value: Float) throws -> TextToImageModel {
    let model = try TinyModel().load()
    for (found, parameter) in model.parameters where found == name {
      var elements = parameter.value.elements
      elements[0] = value
      parameter.value = Tensor(shape: parameter.value.shape, elements: elements)
    }
    return model
  }

  private func failure(_ model: TextToImageModel, noise: Tensor? = nil) -> NonFiniteOutput? {
    #expect(throws: NonFiniteOutput.self) {
      try TextToImagePipeline(model).images(
        prompts: ["a cat"], seeds: [1], settings: TinyModel.settings, initialNoise: noise)
    }
  }

  @Test(arguments: [
    ("text_encoder.text_model.final_layer_norm.weight", NonFiniteOutput.Place.textEncoder),
    ("unet.conv_in.weight", .network(step: 1, of: 4)),
    ("vae.decoder.conv_out.bias", .decoder),
  ])
  func spoiltWeightsAreNamed(_ name: String, _ place: NonFiniteOutput.Place) throws {
    for value in [Float.nan, .infinity] {
      let error = try #require(try failure(model(name, value)))
      #expect(error.place == place && error.weight?.name == name && error.weight?.badCount == 1)
      #expect(error.description.contains("'\(name)'"))
      #expect(error.description.contains("damaged") && !error.description.contains("\n"))
    }
  }

  @Test func finiteWeightsAreNotBlamed() throws {
    // Finite, and so large that products are not.
    let error = try #require(try failure(model("unet.conv_out.bias", 3e38)))
    #expect(error.weight == nil)
    let noise = try #require(
      try failure(TinyModel().load(), noise: Tensor(repeating: .nan, shape: [1, 8, 8, 4])))
    #expect(noise.place == .sample(step: 1, of: 4) && noise.description.contains("prior"))
    let samples = Tensor(repeating: .infinity, shape: [1, 8, 8, 4])
    let last = #expect(throws: NonFiniteOutput.self) {
      try TinyModel().load().images(ofSamples: samples)
    }
    #expect(last?.place == .finalSample && last?.badCount == 256)
  }
}

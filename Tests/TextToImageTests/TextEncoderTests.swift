import Files
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import TextToImage

/// Text encoders against transformers', at small sizes with each option.
@Suite struct TextEncoderTests {
  @Test func statesAreThoseOfTransformers() throws {
    let goldens = try NetworkGoldens("texts")
    #expect(goldens.cases.count >= 5)
    var maximum: Float = 0
    for (name, golden) in goldens.cases {
      var random = RandomStream(seed: 1)
      let configuration = try CLIPTextConfiguration(
        json: try #require(golden["configuration"]), path: "config.json")
      #expect(
        try CLIPTextConfiguration(json: configuration.json, path: "config.json")
          == configuration, "\(name)")
      let encoder = CLIPTextEncoder(configuration, random: &random)
      GoldenNetworks.drawWeights(encoder)
      guard case .array(let rows) = golden["tokens"] else { throw Missing() }
      let tokens = rows.map { $0.numbers.map { Int($0) } }
      let output = encoder(tokens)
      var results = [("hidden", output.hiddenState), ("pooled", output.pooled)]
      if let projected = output.projected { results.append(("projected", projected)) }
      if configuration.layerCount > 2 {
        results.append(("skipping two", encoder.hiddenStates(tokens, skippedLayerCount: 2)))
      }
      #expect(goldens.has("\(name)/projected") == (output.projected != nil))
      for (part, result) in results {
        let error = relativeError(result, try goldens.result("\(name)/\(part)"))
        #expect(error <= 1e-4, "\(name), \(part): relative error \(error)")
        maximum = max(maximum, error)
      }
    }
    print("greatest relative error of \(goldens.cases.count) text encoders: \(maximum)")
  }

  private struct Missing: Error {}

  /// Gradients of a loss of the U-Net at the text encoder's weights, by differences along a
  /// direction.
  @Test func gradientsReachTheTextEncoder() throws {
    let model = try TinyModel().load()
    var random = RandomStream(seed: 2)
    let samples = random.normal([4, 8, 8, 4])
    let tokens = ["a cat", "a blue knight", "", "東京"].map(model.tokenizer.paddedTokens)
    let loss: @Sendable (Range<Int>) -> ShardResult = { rows in
      let context = model.unet.context(model.textEncoder.hiddenStates(Array(tokens[rows])))
      let prediction = model.unet(
        samples.slice(rows), timeSteps: .shared(300), context: context)
      return ShardResult(loss: prediction.squared().sum())
    }
    let (value, _, gradients) = shardedValueAndGradients(count: 4, shardSize: 2, loss)
    var slope = 0.0
    let step: Float = 0.001
    for (name, parameter) in model.textEncoder.parameters {
      let gradient = try #require(gradients[parameter.leaf], "\(name)")
      #expect(gradient.elements.contains { $0 != 0 }, "\(name)")
      // Along the gradient, so that the slope is far from the rounding of the loss.
      let direction = gradient * (1 / gradient.squared().sum().squareRoot().scalar)
      slope += Double((gradient * direction).sum().scalar)
      parameter.value = parameter.value + direction * step
    }
    let above = shardedValueAndGradients(count: 4, shardSize: 2, loss).loss
    let difference = (above - value) / Double(step)
    #expect(
      abs(difference - slope) <= 0.05 * slope, "slope \(slope), by differences \(difference)")
  }

  @Test func unsupportedKeysAreRefusedByName() throws {
    let bad: [(String, JSONValue)] = [
      ("architectures", ["T5EncoderModel"]), ("hidden_act", "swiglu"),
      ("num_attention_heads", 7), ("use_attention_mask", true), ("vocab_size", 0),
    ]
    for (key, value) in bad {
      let error = #expect(throws: FileError.self, "\(key)") {
        try CLIPTextConfiguration(json: .object([key: value]), path: "text_encoder/config.json")
      }
      #expect(error?.description.contains(key) == true, "\(key)")
    }
  }
}

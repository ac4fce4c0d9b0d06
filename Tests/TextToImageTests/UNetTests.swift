import Diffusion
import Files
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import TextToImage

/// U-Nets against diffusers', at small sizes with each block and option.
@Suite struct UNetTests {
  private func network(_ json: JSONValue) throws -> UNet2DConditionModel {
    var random = RandomStream(seed: 1)
    let network = UNet2DConditionModel(
      try UNetConfiguration(json: json, path: "config.json"), random: &random)
    GoldenNetworks.drawWeights(network)
    return network
  }

  private func classes(
    _ configuration: UNetConfiguration, random: inout TorchRandom
  ) -> ClassCondition? {
    switch configuration.classEmbedding {
    case nil: nil
    case .table: .numbers([4, 0])
    case .timestep: .numbers([3, 77])
    case .identity: .vectors(random.normal([2, 24]))
    case .projection(let size), .simpleProjection(let size): .vectors(random.normal([2, size]))
    }
  }

  @Test func predictionsAreThoseOfDiffusers() throws {
    let goldens = try NetworkGoldens("unets")
    #expect(goldens.cases.count >= 17)
    var maximum: Float = 0
    for (name, golden) in goldens.cases {
      let network = try network(try #require(golden["configuration"]))
      let configuration = network.configuration
      var random = GoldenNetworks.inputs
      let sample = random.image(
        2, configuration.inputChannels, golden["height"]?.integer ?? 0,
        golden["width"]?.integer ?? 0)
      let prompt = random.normal([2, 7, configuration.promptSize ?? 12])
      let times = golden["times"]?.numbers ?? []
      let timeSteps: Broadcast<Float> = times.count > 1 ? .perRow(times) : .shared(times[0])
      let classes = classes(configuration, random: &random)
      var context = network.context(prompt)
      if let scale = golden["guidance"]?.numbers.first { context = context.guided(by: scale) }
      let result = network(sample, timeSteps: timeSteps, context: context, classes: classes)
      let error = relativeError(result, try goldens.result(name))
      #expect(error <= 1e-4, "\(name): relative error \(error)")
      maximum = max(maximum, error)

      // What is written is what was read.
      let again = try UNetConfiguration(json: configuration.json, path: "config.json")
      #expect(again == configuration, "\(name)")
    }
    print("greatest relative error of \(goldens.cases.count) U-Nets: \(maximum)")
  }

  @Test func rowsDoNotDependOnTheBatch() throws {
    let goldens = try NetworkGoldens("unets")
    let network = try network(try #require(goldens.cases["no middle"]?["configuration"]))
    var random = RandomStream(seed: 3)
    let sample = random.normal([3, 8, 8, 4])
    let context = network.context(random.normal([2, 7, 12]))
    let whole = network(
      sample, timeSteps: .shared(500), context: context.rows([0, 1, 1]))
    for (row, prompt) in [0, 1, 1].enumerated() {
      let single = network(
        sample.slice(row..<(row + 1)), timeSteps: .perRow([500]), context: context.rows([prompt]))
      #expect(relativeError(single, whole.slice(row..<(row + 1))) <= 1e-5)
    }
  }

  /// Gradients of a loss by finite differences along a random direction, with a batch in shards.
  @Test func gradientsFlowToEveryWeight() throws {
    let goldens = try NetworkGoldens("unets")
    for name in ["stable-diffusion-2", "class table", "scale and shift", "only cross attention"] {
      let network = try network(try #require(goldens.cases[name]?["configuration"]))
      var random = RandomStream(seed: 5)
      let sample = random.normal([4, 8, 8, 4])
      let prompt = random.normal([4, 7, 12])
      let target = random.normal([4, 8, 8, 4])
      let hasClasses = network.configuration.classEmbedding != nil
      let loss: @Sendable (Range<Int>) -> ShardResult = { rows in
        let times = Broadcast<Float>.perRow(rows.map { Float($0) * 100 })
        let prediction = network(
          sample.slice(rows), timeSteps: times, context: network.context(prompt.slice(rows)),
          classes: hasClasses ? .numbers(rows.map { Float($0) }) : nil)
        return ShardResult(loss: (prediction - target.slice(rows)).squared().sum() * 0.001)
      }
      let (value, _, gradients) = shardedValueAndGradients(count: 4, shardSize: 2, loss)
      var slope = 0.0
      let step: Float = 1e-3
      var originals: [Tensor] = []
      for (parameterName, parameter) in network.parameters {
        let gradient = try #require(gradients[parameter.leaf], "\(name): \(parameterName)")
        #expect(gradient.elements.contains { $0 != 0 }, "\(name): \(parameterName)")
        let direction = random.normal(parameter.value.shape) * 0.02
        slope += Double((gradient * direction).sum().scalar)
        originals.append(parameter.value)
        parameter.value = parameter.value + direction * step
      }
      let above = shardedValueAndGradients(count: 4, shardSize: 2, loss).loss
      let difference = (above - value) / Double(step)
      #expect(
        abs(difference - slope) <= 0.03 * max(abs(slope), 0.02),
        "\(name): slope \(slope), by differences \(difference)")
    }
  }

  @Test func unsupportedKeysAreRefusedByName() throws {
    let goldens = try NetworkGoldens("unets")
    let good = try #require(goldens.cases["stable-diffusion-1"]?["configuration"]?.members)
    let bad: [(String, JSONValue)] = [
      ("addition_embed_type", "text_time"), ("dual_cross_attention", true),
      ("time_embedding_type", "fourier"), ("attention_type", "gated"),
      ("down_block_types", ["AttnDownBlock2D", "DownBlock2D", "DownBlock2D", "DownBlock2D"]),
      ("mid_block_type", "UNetMidBlock2DSimpleCrossAttn"), ("act_fn", "elu"),
      ("class_embed_type", "other"), ("norm_num_groups", 7), ("norm_num_groups", nil),
      ("block_out_channels", [16, 32]), ("layers_per_block", [1, 2]), ("in_channels", -1),
      ("attention_head_dim", "eight"), ("time_cond_proj_dim", 7), ("a_new_key", 1),
      ("conv_in_kernel", 2), ("in_channels", 3.5), ("class_embed_type", "projection"),
    ]
    for (key, value) in bad {
      var members = good
      members[key] = value
      let error = #expect(throws: FileError.self, "\(key)") {
        try UNetConfiguration(json: .object(members), path: "unet/config.json")
      }
      let text = error?.description ?? ""
      let names = key == "class_embed_type" ? ["class_embed"] : [key]
      #expect(
        text.contains("unet/config.json") && names.allSatisfy { text.contains($0) }
          || text.contains("projection_class_embeddings_input_dim")
          || (key == "layers_per_block" && text.contains(key)), "\(key): \(text)")
      #expect(text.count < 400, "\(text)")
    }
  }
}

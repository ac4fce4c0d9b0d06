import Diffusion
import Files
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import TextToVideo

/// U-Nets of clips against diffusers', at small sizes with each block and option.
@Suite struct UNet3DTests {
  private let goldens: GoldenTensors
  private let cases: [String: ClipCase]

  init() throws {
    goldens = try GoldenTensors("TextToVideo/unets.safetensors")
    cases = try ClipCase.read("TextToVideo/unets.json")
  }

  private func network(_ json: JSONValue) throws -> UNet3DConditionModel {
    var random = RandomStream(seed: 1)
    let network = UNet3DConditionModel(
      try UNet3DConfiguration(json: json, path: "config.json"), random: &random)
    GoldenNetworks.drawWeights(network)
    return network
  }

  @Test func predictionsAreThoseOfDiffusers() throws {
    #expect(cases.count == 12)
    var maximum: Float = 0
    for (name, golden) in cases {
      let network = try network(golden.configuration)
      let inputs = ClipInputs(
        golden, promptSize: network.configuration.crossAttentionSize)
      let result = network.prediction(
        inputs.sample, timeSteps: inputs.times, context: network.context(inputs.prompt))
      let error = relativeError(result, try goldens[name])
      #expect(error <= 1e-4, "\(name): relative error \(error)")
      maximum = max(maximum, error)

      // What is written is what was read.
      let again = try UNet3DConfiguration(json: network.configuration.json, path: "config.json")
      #expect(again == network.configuration, "\(name)")
    }
    print("greatest relative error of \(cases.count) U-Nets of clips: \(maximum)")
  }

  @Test(arguments: ["time of each clip", "gradients of three blocks"])
  func gradientsAreThoseOfPyTorch(_ name: String) throws {
    let golden = try #require(cases[name])
    let network = try network(golden.configuration)
    let (loss, gradients) = ClipInputs.gradients(
      golden, promptSize: network.configuration.crossAttentionSize, network)
    #expect(abs(loss - (try goldens["\(name)/loss"].scalar)) <= 1e-5)
    var maximum: Float = 0
    for (parameterName, parameter) in network.parameters {
      let expected = try goldens["\(name)/gradient.\(parameterName)"]
      let gradient = try #require(gradients[parameter.leaf], "\(parameterName)")
      // What is all but zero, as of a bias in front of a norm, is so by cancellation.
      let error = expectClose(
        gradient, expected, relative: 1e-4, absolute: 1e-7, "\(name), \(parameterName)")
      if expected.elements.contains(where: { abs($0) > 1e-3 }) { maximum = max(maximum, error) }
    }
    let count = goldens.names.count { $0.hasPrefix("\(name)/gradient.") }
    #expect(count == network.parameters.count)
    print("\(name): greatest relative error of \(count) gradients: \(maximum)")
  }

  /// A network with weights of its own sees the order of frames; one as it is made does not.
  @Test func orderOfFramesCountsThroughConvolutions() throws {
    let configuration = try UNet3DConfiguration(
      json: #require(cases["whole"]).configuration, path: "config.json")
    var random = RandomStream(seed: 3)
    let network = UNet3DConditionModel(configuration, random: &random)
    let sample = random.normal([1, 4, 8, 8, 4])
    let context = network.context(random.normal([1, 4, 8]))
    func difference() -> Float {
      func prediction(_ sample: Tensor) -> Tensor {
        network.prediction(sample, timeSteps: .shared(300), context: context)[0]
      }
      let order = [2, 0, 3, 1]
      let permuted = sample[0].gather(order).expandingDimension(at: 0)
      return maxDifference(prediction(permuted), prediction(sample).gather(order))
    }
    #expect(difference() <= 1e-5)
    GoldenNetworks.drawWeights(network)
    #expect(difference() > 0.1)
  }

  @Test func clipsDoNotDependOnTheBatch() throws {
    let network = try network(#require(cases["whole"]).configuration)
    var random = RandomStream(seed: 3)
    let sample = random.normal([3, 2, 8, 8, 4])
    let context = network.context(random.normal([2, 4, 8]))
    let whole = network.prediction(
      sample, timeSteps: .shared(500), context: context.rows([0, 1, 1]))
    for (row, prompt) in [0, 1, 1].enumerated() {
      let single = network.prediction(
        sample.slice(row..<(row + 1)), timeSteps: .perRow([500]), context: context.rows([prompt]))
      #expect(relativeError(single, whole.slice(row..<(row + 1))) <= 1e-5)
    }
  }

  /// Files of ModelScope's time carry keys of `UNet2DConditionModel`, which change nothing.
  @Test func olderFilesAreRead() throws {
    let golden = try #require(cases["whole"])
    guard case .object(var members) = golden.configuration else { throw GoldenError() }
    let plain = try UNet3DConfiguration(json: .object(members), path: "config.json")
    let old: [String: JSONValue] = [
      "center_input_sample": false, "class_embed_type": nil, "flip_sin_to_cos": true,
      "freq_shift": 0, "mid_block_type": "UNetMidBlock2DCrossAttn", "num_class_embeds": nil,
      "only_cross_attention": false, "projection_class_embeddings_input_dim": nil,
      "resnet_time_scale_shift": "default", "time_embedding_type": "positional",
      "timestep_post_act": nil, "upcast_attention": false, "dual_cross_attention": false,
    ]
    members.merge(old) { $1 }
    #expect(try UNet3DConfiguration(json: .object(members), path: "config.json") == plain)
    // A file that says nothing means ModelScope's network.
    let empty = try UNet3DConfiguration(json: [:], path: "config.json")
    #expect(empty == UNet3DConfiguration() && empty.sampleSize == nil)
    #expect(empty.blockChannels == [320, 640, 1_280, 1_280] && empty.headSize == 64)
  }

  @Test func unsupportedKeysAreRefusedByName() throws {
    guard case .object(let good) = try #require(cases["whole"]).configuration else {
      throw GoldenError()
    }
    let bad: [(String, JSONValue)] = [
      ("num_attention_heads", 2), ("time_cond_proj_dim", 256), ("layers_per_block", [1, 2]),
      ("cross_attention_dim", [8, 8]), ("attention_head_dim", [2, 2]), ("norm_num_groups", 7),
      ("norm_num_groups", nil), ("down_block_types", ["CrossAttnDownBlock2D", "DownBlock2D"]),
      ("up_block_types", ["UpBlock3D"]), ("block_out_channels", [4]), ("act_fn", "elu"),
      ("attention_head_dim", 5), ("center_input_sample", true), ("freq_shift", 1),
      ("class_embed_type", "timestep"), ("mid_block_type", "UNetMidBlock2D"), ("a_new_key", 1),
      ("_class_name", "UNet2DConditionModel"), ("use_linear_projection", false),
    ]
    for (key, value) in bad {
      var members = good
      members[key] = value
      let error = #expect(throws: FileError.self, "\(key)") {
        try UNet3DConfiguration(json: .object(members), path: "unet/config.json")
      }
      let text = error?.description ?? ""
      #expect(text.contains("unet/config.json"), "\(key): \(text)")
      #expect(text.contains(key) && text.count < 400, "\(key): \(text)")
    }
  }
}

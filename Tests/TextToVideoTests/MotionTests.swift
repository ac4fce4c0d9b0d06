import Diffusion
import Files
import GenerativeModels
import NeuralNetworks
import Tensors
import TestSupport
import TextToImage
import Testing

@testable import TextToVideo

/// U-Nets with AnimateDiff's motion modules against diffusers'.
@Suite struct MotionTests {
  private let goldens: GoldenTensors
  private let cases: [String: ClipCase]

  init() throws {
    goldens = try GoldenTensors("TextToVideo/motion.safetensors")
    cases = try ClipCase.read("TextToVideo/motion.json")
  }

  private func network(_ json: JSONValue) throws -> UNetMotionModel {
    var random = RandomStream(seed: 1)
    let network = UNetMotionModel(
      try UNetMotionConfiguration(json: json, path: "config.json"), random: &random)
    GoldenNetworks.drawWeights(network)
    return network
  }

  @Test func predictionsAreThoseOfDiffusers() throws {
    #expect(cases.count == 7)
    var maximum: Float = 0
    for (name, golden) in cases where name != "joined" {
      let network = try network(golden.configuration)
      let inputs = ClipInputs(golden, promptSize: network.configuration.crossAttentionSizes[0])
      let result = network.prediction(
        inputs.sample, timeSteps: inputs.times, context: network.context(inputs.prompt))
      let error = relativeError(result, try goldens[name])
      #expect(error <= 1e-5, "\(name): relative error \(error)")
      maximum = max(maximum, error)

      // What is written is what was read.
      let again = try UNetMotionConfiguration(
        json: network.configuration.json, path: "config.json")
      #expect(again == network.configuration, "\(name)")
    }
    print("greatest relative error of \(cases.count - 1) U-Nets with motion: \(maximum)")
  }

  @Test func gradientsAreThoseOfPyTorch() throws {
    let name = "with motion in the middle"
    let golden = try #require(cases[name])
    let network = try network(golden.configuration)
    let (loss, gradients) = ClipInputs.gradients(golden, promptSize: 16, network)
    #expect(abs(loss - (try goldens["\(name)/loss"].scalar)) <= 1e-5)
    var (maximum, count) = (Float(0), 0)
    for (parameterName, parameter) in network.parameters {
      guard parameterName.contains("motion_modules"), parameter.isTrainable else { continue }
      let expected = try goldens["\(name)/gradient.\(parameterName)"]
      let error = expectClose(
        gradients[parameter.leaf], expected, relative: 1e-4, absolute: 1e-7, parameterName)
      if expected.elements.contains(where: { abs($0) > 1e-3 }) { maximum = max(maximum, error) }
      count += 1
    }
    #expect(count == goldens.names.count { $0.hasPrefix("\(name)/gradient.") })
    print("greatest relative error of \(count) gradients of motion modules: \(maximum)")
  }

  /// A U-Net of images and an adapter, joined as diffusers joins them.
  @Test func adaptersBecomePartsOfUNets() throws {
    let golden = try #require(cases["joined"])
    var random = RandomStream(seed: 1)
    let images = UNet2DConditionModel(
      try UNetConfiguration(json: golden.configuration, path: "config.json"), random: &random)
    GoldenNetworks.drawWeights(images)
    // The adapter's weights are drawn by themselves: those of a network's motion modules are.
    let adapter = try MotionAdapterConfiguration(
      json: #require(golden.adapter), path: "config.json")
    let configuration = try UNetMotionConfiguration(
      images: images.configuration, adapter: adapter, path: "config.json")
    let folder = try TemporaryFolder()
    let donor = UNetMotionModel(configuration, random: &random)
    GoldenNetworks.drawWeights(donor) { $0.contains("motion_modules.") }
    try donor.writeOtherParts(
      folder: folder.path, elementType: .float32, maxShardByteCount: .max)
    let written = try JSONValue(path: folder.file("motion_adapter/config.json"))
    #expect(try MotionAdapterConfiguration(json: written, path: "config.json") == adapter)

    let network = try UNetMotionModel(
      images: images, adapterFolder: folder.file("motion_adapter"))
    let inputs = ClipInputs(golden, promptSize: 16)
    let result = network.prediction(
      inputs.sample, timeSteps: inputs.times, context: network.context(inputs.prompt))
    let error = relativeError(result, try goldens["joined"])
    #expect(error <= 1e-5, "relative error \(error)")
    let table = try #require(
      network.parameters["down_blocks.0.motion_modules.0.transformer_blocks.0.pos_embed.pe"])
    #expect(maxDifference(table.value, try goldens["positions"]) <= 1e-6)
    #expect(!table.isTrainable)
  }

  @Test func whatDoesNotFitIsRefusedByName() throws {
    let golden = try #require(cases["joined"])
    let images = try UNetConfiguration(json: golden.configuration, path: "unet/config.json")
    guard case .object(let good)? = golden.adapter else { throw GoldenError() }
    for (key, value) in [
      ("block_out_channels", [16, 48]), ("motion_layers_per_block", 2),
      ("motion_norm_num_groups", 8), ("motion_num_attention_heads", 40), ("conv_in_channels", 9),
      ("motion_activation_fn", "gelu"), ("motion_attention_bias", true), ("a_new_key", 1),
      ("_class_name", "ControlNetModel"),
    ] as [(String, JSONValue)] {
      var members = good
      members[key] = value
      let error = #expect(throws: FileError.self, "\(key)") {
        let adapter = try MotionAdapterConfiguration(
          json: .object(members), path: "adapter/config.json")
        _ = try UNetMotionConfiguration(
          images: images, adapter: adapter, path: "adapter/config.json")
      }
      #expect(error?.description.contains(key) == true, "\(key): \(error?.description ?? "")")
    }
    let adapter = try MotionAdapterConfiguration(json: .object(good), path: "config.json")
    var other = images
    other.classEmbedding = .timestep
    #expect(throws: FileError.self) {
      try UNetMotionConfiguration(images: other, adapter: adapter, path: "config.json")
    }
    guard case .object(let network) = try #require(cases["one frame, odd size"]).configuration
    else { throw GoldenError() }
    for (key, value) in [
      ("encoder_hid_dim", 16), ("addition_embed_type", "text_time"), ("norm_num_groups", 7),
      ("mid_block_layers", 2), ("motion_num_attention_heads", 40), ("layers_per_block", [1]),
      ("temporal_transformer_layers_per_block", [[1], [1]]),
      ("_class_name", "UNet3DConditionModel"),
    ] as [(String, JSONValue)] {
      var members = network
      members[key] = value
      let error = #expect(throws: FileError.self, "\(key)") {
        try UNetMotionConfiguration(json: .object(members), path: "unet/config.json")
      }
      #expect(error?.description.contains(key) == true, "\(key): \(error?.description ?? "")")
    }
  }
}

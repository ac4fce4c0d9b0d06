import Diffusion
import Files
import NeuralNetworks
import Tensors
import TestSupport
import Testing

@testable import ImageFineTuning
@testable import TextToImage

/// Low-rank changes: what they add to a network, their gradients, and their file.
@Suite struct LowRankAdaptersTests {
  private let model: TextToImageModel
  private let frozen: UNet2DConditionModel
  private let adapters: LowRankAdapters

  init() throws {
    model = try TinyModels.pixels()
    frozen = model.unet.frozenCopy()
    var random = RandomStream(seed: 1)
    adapters = LowRankAdapters(model.unet, rank: 2, alpha: 6, random: &random)
  }

  private func drawUps() {
    var random = RandomStream(seed: 2)
    for (name, parameter) in adapters.parameters where name.contains("lora_B") {
      parameter.value = random.normal(parameter.value.shape) * 0.2
    }
  }

  private func prediction(_ unet: UNet2DConditionModel) -> Tensor {
    var random = RandomStream(seed: 3)
    return unet(
      random.normal([2, 4, 4, 12]), timeSteps: .shared(400),
      context: unet.context(random.normal([2, 6, 16])))
  }

  @Test func nothingChangesAtFirst() {
    adapters.merge()
    #expect(maxDifference(prediction(model.unet), prediction(frozen)) == 0)
  }

  /// W_0 x + alpha / r B (A x), not merged, is what the U-Net computes.
  @Test func changesAreMerged() throws {
    drawUps()
    adapters.merge()
    #expect(maxDifference(prediction(model.unet), prediction(frozen)) > 1e-3)
    var random = RandomStream(seed: 4)
    var count = 0
    for (name, weight) in model.unet.parameters {
      let base = try #require(frozen.parameters[name]).value
      let projection = name.dropLast(".weight".count)
      guard let down = adapters.parameters["\(projection).lora_A.weight"]?.value,
        let up = adapters.parameters["\(projection).lora_B.weight"]?.value
      else {
        #expect(maxDifference(weight.value, base) == 0 && !weight.isTrainable, "\(name)")
        continue
      }
      count += 1
      let x = random.normal([5, base.shape[1]])
      let change = x.matmul(down.transposed()).matmul(up.transposed()) * 3
      let expected = x.matmul(base.transposed()) + change
      let actual = x.matmul(weight.value.transposed())
      #expect(maxDifference(actual, expected) <= 1e-5, "\(name)")
      #expect(weight.isTrainable)
    }
    // Queries, keys, values and outputs of both attentions of every transformer.
    #expect(count > 0 && count % 8 == 0 && adapters.parameters.count == 2 * count)
  }

  /// What is written here is read here: a fresh model with the file merged is the trained one.
  @Test func filesAreMergedAgain() throws {
    drawUps()
    adapters.merge()
    let folder = try TemporaryFolder()
    let path = folder.file("pytorch_lora_weights.safetensors")
    try adapters.write(to: path)
    let fresh = try TinyModels.pixels()
    // A folder stands for the file in it.
    try fresh.merge([try LoRAFile(folder.path)])
    for (name, weight) in model.unet.parameters {
      let merged = try #require(fresh.unet.parameters[name]).value
      #expect(maxDifference(merged, weight.value) <= 1e-6, "\(name)")
    }
    #expect(maxDifference(prediction(fresh.unet), prediction(frozen)) > 1e-3)
  }

  @Test func gradientsAreFiniteDifferences() throws {
    drawUps()
    adapters.merge()
    func loss() -> Tensor { prediction(model.unet).squared().sum() }
    let (_, ofWeights) = valueAndGradients { loss() }
    let gradients = adapters.gradients(ofMerged: ofWeights)
    let epsilon: Float = 2e-3
    for (index, (name, parameter)) in adapters.parameters.enumerated() where index % 3 == 0 {
      let gradient = try #require(gradients[parameter.leaf])
      let maximum = gradient.elements.map { abs($0) }.max() ?? 0
      let place = gradient.elements.firstIndex { abs($0) == maximum } ?? 0
      let value = parameter.value
      func shifted(by shift: Float) -> Float {
        var elements = value.elements
        elements[place] += shift
        parameter.value = Tensor(shape: value.shape, elements: elements)
        adapters.merge()
        return loss().scalar
      }
      let slope = (shifted(by: epsilon) - shifted(by: -epsilon)) / (2 * epsilon)
      _ = shifted(by: 0)
      #expect(
        abs(slope - gradient.elements[place]) <= 0.02 * maximum,
        "\(name): \(slope), \(gradient.elements[place])")
    }
  }

  /// diffusers takes alpha for r.
  @Test func fileHasTheNamesOfDiffusers() throws {
    drawUps()
    let folder = try TemporaryFolder()
    try adapters.write(to: folder.file("lora.safetensors"))
    let file = try SafetensorsFile(path: folder.file("lora.safetensors"))
    #expect(file.names.count == adapters.parameters.count)
    let name = "mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0"
    let down = try file.tensor(named: "unet.\(name).lora_A.weight")
    let up = try file.tensor(named: "unet.\(name).lora_B.weight")
    adapters.merge()
    let base = try #require(frozen.parameters["\(name).weight"]).value
    let merged = try #require(model.unet.parameters["\(name).weight"]).value
    #expect(maxDifference(base + up.matmul(down), merged) <= 1e-6)
  }
}

import Files
import Foundation
import Media
import Tensors
import TestSupport
import Testing

@testable import Rewards

/// Rewards that need no training.
@Suite struct RewardTests {
  /// A reward that says what it is told.
  private struct Fixed: ImageReward {
    let name = "fixed"
    let numbers: [Float]
    func scores(images: [Image], prompts: [String]) -> [Float] { numbers }
  }

  @Test func sizesAreThoseOfTheFiles() throws {
    let folder = try TemporaryFolder()
    let flat = Image(width: 32, height: 32, filledWith: .white)
    let (images, _) = try Goldens.images(1)
    let all = [flat, images[0]]
    var bytes: [Float] = []
    for image in all {
      try image.writePNG(to: folder.file("a.png"))
      bytes.append(Float(try Data(contentsOf: URL(filePath: folder.file("a.png"))).count))
    }
    let large = PNGSizeReward(.incompressibility).scores(images: all, prompts: ["", ""])
    let small = PNGSizeReward(.compressibility).scores(images: all, prompts: ["", ""])
    #expect(large == bytes.map { $0 / 1000 })
    #expect(small == large.map { -$0 })
    #expect(large[0] < large[1])
    // Tensors are evaluated as the images that they would be saved as.
    let tensor = Tensor.stacked(all.map { $0.tensor(range: .zeroToOne) })
    #expect(
      try PNGSizeReward(.incompressibility).scores(images: tensor, prompts: ["", ""]) == large)
  }

  @Test func missingScoresAreCounted() throws {
    let (images, texts) = try Goldens.images(4)
    let scores = try Fixed(numbers: [1, .nan, 3, .infinity]).scored(images, prompts: texts)
    #expect(scores.values == [1, nil, 3, nil])
    #expect(scores.droppedCount == 2)
    #expect(scores.mean == 2)
    #expect(RewardScores([.nan]).mean == nil)
    #expect(try scores.requiring(fraction: 0.5, of: "fixed") == scores)
    let error = #expect(throws: RewardError.self) {
      try scores.requiring(fraction: 0.75, of: "fixed")
    }
    #expect(
      error?.description
        == "reward 'fixed' gave no finite number for 2 of 4 images; correct the reward")
  }

  @Test func sumsAreWeighted() throws {
    let (images, texts) = try Goldens.images(3)
    let sum = WeightedReward([
      (0.5, Fixed(numbers: [1, 2, .nan])), (-2, Fixed(numbers: [10, 20, 30])),
    ])
    #expect(sum.name == "0.5*fixed - 2.0*fixed")
    let scores = try sum.scored(images, prompts: texts)
    #expect(scores.values == [-19.5, -39, nil])
  }

  @Test func clipScoresAreCosines() throws {
    let model = CLIPModelTests.tinyModel()
    let (images, texts) = try Goldens.images(6)
    let own = CLIPReward(model).scores(images: images, prompts: texts)
    let cosines = model.features(of: images).matmul(model.features(of: texts).transposed())
    for index in images.indices {
      #expect(!(abs(own[index] - 100 * cosines.elements[index * 6 + index]) > 1e-3))
    }
    let other = CLIPReward(model, text: texts[2])
    #expect(other.name == "clip:'\(texts[2])'")
    let fixed = other.scores(images: images, prompts: texts)
    for index in images.indices {
      #expect(!(abs(fixed[index] - 100 * cosines.elements[index * 6 + 2]) > 1e-3))
    }
    #expect(CLIPReward(model).scores(images: [], prompts: []).isEmpty)
  }

  @Test func aestheticHeadsAreChainsOfLinearLayers() throws {
    let folder = try TemporaryFolder()
    let model = CLIPModelTests.tinyModel()  // 12 features
    let (images, texts) = try Goldens.images(3)
    var random = RandomStream(seed: 8)
    let first = random.normal([5, 12])
    let firstBias = random.normal([5])
    let last = random.normal([1, 5])
    try SafetensorsFile.write(
      [
        "layers.0.weight": StoredTensor(first), "layers.0.bias": StoredTensor(firstBias),
        "layers.10.weight": StoredTensor(last), "layers.10.bias": StoredTensor(Tensor([2])),
      ], to: folder.file("head.safetensors"))
    let deep = try AestheticReward(model, headPath: folder.file("head.safetensors"))
    let features = model.features(of: images)
    let expected =
      (features.matmul(first.transposed()) + firstBias).matmul(last.transposed()) + 2
    let scores = Tensor(deep.scores(images: images, prompts: texts))
    #expect(maxDifference(scores, expected.reshaped(to: [3])) <= 1e-4)

    try SafetensorsFile.write(
      ["weight": StoredTensor(first.slice(0..<1)), "bias": StoredTensor(Tensor([0]))],
      to: folder.file("linear.safetensors"))
    let linear = try AestheticReward(model, headPath: folder.file("linear.safetensors"))
    #expect(
      maxDifference(
        Tensor(linear.scores(images: images, prompts: texts)),
        features.matmul(first.slice(0..<1).transposed()).reshaped(to: [3])) <= 1e-4)

    let bad: [(String, [String: Tensor])] = [
      ("another CLIP model", ["weight": .zeros([1, 13])]),
      ("5 numbers", ["layers.0.weight": .zeros([5, 12])]),
      ("neither", ["fc.weight": .zeros([1, 12])]),
      ("bias", ["weight": .zeros([1, 12]), "bias": .zeros([2])]),
    ]
    for (words, tensors) in bad {
      try SafetensorsFile.write(
        tensors.mapValues { StoredTensor($0) }, to: folder.file("bad.safetensors"))
      let error = #expect(throws: FileError.self) {
        try AestheticReward(model, headPath: folder.file("bad.safetensors"))
      }
      #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }
  }
}

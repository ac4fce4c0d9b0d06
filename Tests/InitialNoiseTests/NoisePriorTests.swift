import Diffusion
import Files
import Tensors
import TestSupport
import Testing
import TextToImage

@testable import InitialNoise

struct NoisePriorTests {
  private func prior() -> NoisePrior {
    var random = RandomStream(seed: 3)
    return NoisePrior(
      mean: random.normal([2, 3, 2]), standardDeviation: random.uniform([2, 3, 2], in: 0.5..<1.5))
  }

  @Test func drawsHaveItsMoments() {
    let prior = prior()
    var random = RandomStream(seed: 4)
    let count = 20_000
    let noise = prior.noise(from: random.normal([count, 2, 3, 2]))
    let mean = noise.mean(along: 0)
    let deviation = (noise - mean).squared().mean(along: 0).squareRoot()
    for (found, wanted) in [(mean, prior.mean), (deviation, prior.standardDeviation)] {
      let difference = zip(found.elements, wanted.elements).map { abs($0 - $1) }.max() ?? .nan
      #expect(difference <= 0.05)
    }
  }

  @Test func standardPriorKeepsNoise() {
    var random = RandomStream(seed: 5)
    let unit = random.normal([2, 2, 3, 2])
    let standard = NoisePrior(standardOfShape: [2, 3, 2])
    #expect(standard.noise(from: unit).elements == unit.elements)
    #expect(standard.divergence == 0)
  }

  /// E[ln pi(z) - ln N(z; 0, I)] by sampling.
  @Test func divergenceIsTheExpectedLogRatio() {
    let prior = prior()
    var random = RandomStream(seed: 6)
    let noise = prior.noise(from: random.normal([50_000, 2, 3, 2]))
    let standard = NoisePrior(standardOfShape: prior.shape)
    let ratio = (prior.logDensity(of: noise) - standard.logDensity(of: noise)).flattened(from: 1)
      .sum(along: 1)
    let expected = Double(ratio.mean().scalar)
    #expect(abs(prior.divergence - expected) <= 0.03 * expected)
  }

  @Test func fileKeepsEverything() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("prior.safetensors")
    var settings = GenerationSettings()
    settings.sampler = .ddim
    settings.stepCount = 12
    let origin = PriorOrigin(
      prompt: "an \"elf\"", model: "00ff", settings: settings, reward: "clip", imageCount: 256)
    let written = NoisePriorFile(prior: prior(), origin: origin)
    try written.write(to: path)
    let read = try NoisePriorFile(path: path)
    #expect(read.origin == origin)
    #expect(read.prior.mean.elements == written.prior.mean.elements)
    #expect(
      read.prior.standardDeviation.elements == written.prior.standardDeviation.elements)

    try read.check(path: path, fingerprint: "00ff", shape: [2, 3, 2])
    #expect(throws: FileError.self) {
      try read.check(path: path, fingerprint: "0000", shape: [2, 3, 2])
    }
    #expect(throws: FileError.self) {
      try read.check(path: path, fingerprint: "00ff", shape: [3, 2, 2])
    }
    func differences(_ prompt: String, negativePrompt: String) -> Int {
      read.origin.differences(prompt: prompt, negativePrompt: negativePrompt, settings: settings)
        .count
    }
    let negative = read.origin.negativePrompt
    // What changes the images is part of what a prior was learned for.
    for change in [
      { $0.skippedTextLayerCount = 1 }, { $0.eta = 0.5 }, { $0.guidance.rescale = 0.7 },
    ] as [(inout GenerationSettings) -> Void] {
      var changed = settings
      change(&changed)
      let other = PriorOrigin(
        prompt: "an elf", model: "00ff", settings: changed, reward: "clip", imageCount: 1)
      try NoisePriorFile(prior: prior(), origin: other).write(to: folder.file("other.safetensors"))
      let again = try NoisePriorFile(path: folder.file("other.safetensors")).origin
      #expect(again == other)
      #expect(
        again.differences(prompt: "an elf", negativePrompt: "", settings: settings).count == 1)
    }
    // Guidance is off at 0 as at 1, and on above.
    func guidanceDiffers(_ learned: Float, _ used: Float) -> Bool {
      var origin = origin
      origin.guidance = learned
      var settings = settings
      settings.guidance.scale = used
      return !origin.differences(
        prompt: origin.prompt, negativePrompt: negative, settings: settings
      ).isEmpty
    }
    #expect(!guidanceDiffers(0, 1) && guidanceDiffers(0, 2) && guidanceDiffers(2, 1))
    #expect(differences("an \"elf\"", negativePrompt: negative) == 0)
    settings.stepCount = 20
    #expect(differences("an orc", negativePrompt: negative) == 2)
    #expect(differences("an orc", negativePrompt: "blurred") == 3)
  }

  /// Numbers that would overflow where they are used, and tensors of no distribution.
  @Test func damagedFilesAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("prior.safetensors")
    let sound = NoisePriorFile(
      prior: prior(),
      origin: PriorOrigin(
        prompt: "an elf", model: "00ff", settings: GenerationSettings(), reward: "clip",
        imageCount: 256))
    func refusal(_ change: (inout NoisePriorFile) -> Void) throws -> FileError? {
      var file = sound
      change(&file)
      try file.write(to: path)
      return #expect(throws: FileError.self) { try NoisePriorFile(path: path) }
    }
    for count in [Int.max, -1] {
      let error = try refusal { $0.origin.imageCount = count }
      #expect(error?.problem.contains("imageCount is \(count)") == true)
    }
    for count in [Int.max, 0] {
      let error = try refusal { $0.origin.stepCount = count }
      #expect(error?.problem.contains("stepCount is \(count)") == true)
    }
    #expect(try refusal { $0.origin.guidance = -1 }?.problem.contains("guidance") == true)
    #expect(try refusal { $0.prior.mean = $0.prior.mean * Float.infinity }?.item == "mean")
    #expect(
      try refusal { $0.prior.standardDeviation = -$0.prior.standardDeviation }?.item == "std")
    #expect(
      try refusal { $0.prior.standardDeviation = .ones([1, 3, 2]) }?.item == "std")
  }

  @Test func otherFilesAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("prior.safetensors")
    try SafetensorsFile.write(["mean": StoredTensor(Tensor([1]))], metadata: [:], to: path)
    let error = #expect(throws: FileError.self) { try NoisePriorFile(path: path) }
    #expect(error.map { "\($0)".contains("noise prior") } ?? false)
  }
}

import Configuration
import Diffusion
import Files
import Foundation
import GenerativeModels
import NeuralNetworks
import Tensors
import Testing
import TestSupport
import TextToImage

@testable import InitialNoise

struct NoisePriorTests {
  private func prior() -> NoisePrior {
    var random = RandomStream(seed: 3)
    return NoisePrior(
      mean: random.normal([2, 3, 2]), standardDeviation: random.uniform([2, 3, 2], in: 0.5..<1.5))
  }

  /// An action chunk's, an image's and a clip's.
  static let shapes = [[6, 3], [4, 5, 2], [3, 4, 5, 2]]

  private func prior(_ shape: [Int]) -> NoisePrior {
    var random = RandomStream(seed: 3)
    return NoisePrior(
      mean: random.normal(shape), standardDeviation: random.uniform(shape, in: 0.5..<1.5))
  }

  /// The first action of a process has the density of its prior, by hand; without a prior it is
  /// N(0, I).
  @Test(arguments: shapes) func firstActionHasThePriorsDensity(_ shape: [Int]) {
    var process = DenoisingProcess(
      sampler: DDIMSampler(.squaredCosine(timeStepCount: 10), count: 2))
    for prior in [nil, prior(shape)] {
      process.prior = prior
      var random = RandomStream(seed: 8)
      let unit = random.normal([5] + shape)
      var noise = RecordedNoise([unit])
      let action = process.firstAction([5] + shape, noise: &noise)
      let found = process.logProbability(ofFirstAction: action).elements
      let count = shape.reduce(1, *)
      let stds = prior?.standardDeviation.elements ?? [Float](repeating: 1, count: count)
      for (index, z) in unit.elements.enumerated() {
        let expected = -z * z / 2 - log(stds[index % count]) - log(2 * Float.pi) / 2
        #expect(abs(found[index] - expected) <= 1e-4, "\(index)")
      }
    }
  }

  @Test(arguments: shapes) func fileKeepsAnyShape(_ shape: [Int]) throws {
    let folder = try TemporaryFolder()
    let path = folder.file("prior.safetensors")
    let prior = prior(shape)
    let origin = PriorOrigin(
      prompt: "an elf", model: "00ff", settings: GenerationSettings(), reward: "clip",
      imageCount: 256)
    try NoisePriorFile(prior: prior, origin: origin).write(to: path)
    let read = try NoisePriorFile(path: path)
    #expect(read.prior.shape == shape)
    #expect(read.prior.mean.elements == prior.mean.elements)
    #expect(read.prior.standardDeviation.elements == prior.standardDeviation.elements)
    try read.check(path: path, fingerprint: "00ff", shape: shape)
    #expect(throws: FileError.self) {
      try read.check(path: path, fingerprint: "00ff", shape: shape + [1])
    }
  }

  /// A projection: done twice it changes nothing more, it is symmetric, and it keeps constants.
  /// Along every axis but the last it lets half a wave through and stops the fastest.
  @Test(arguments: shapes) func lowPassIsAProjection(_ shape: [Int]) throws {
    let lowPass = try #require(LowPass(shape: shape, fraction: 0.3))
    var random = RandomStream(seed: 12)
    let (a, b) = (random.normal(shape), random.normal(shape))
    func inner(_ a: Tensor, _ b: Tensor) -> Float { (a * b).sum().scalar }
    func expectNear(_ found: Tensor, _ wanted: Tensor) {
      #expect(((found - wanted).absolute().elements.max() ?? .nan) <= 1e-5)
    }
    expectNear(lowPass(lowPass(a)), lowPass(a))
    #expect(abs(inner(lowPass(a), b) - inner(a, lowPass(b))) <= 1e-4)
    expectNear(lowPass(.ones(shape)), .ones(shape))
    #expect(lowPass(a).squaredNorm() < 0.8 * a.squaredNorm())
    for axis in 0..<shape.count - 1 {
      // The fastest cosine along one axis, constant along the others.
      let size = shape[axis]
      let wave = Tensor(shape: shape) { elements in
        let stride = shape[(axis + 1)...].reduce(1, *)
        for index in elements.indices {
          let place = Float(index / stride % size)
          elements[index] = cos(.pi * (place + 0.5) * Float(size - 1) / Float(size))
        }
      }
      expectNear(lowPass(wave), .zeros(shape))
    }
    #expect(LowPass(shape: shape, fraction: 1) == nil)
  }

  /// Half of the functions along each of two axes are a fourth of all: the trace of a projection is
  /// their number.
  @Test func lowPassKeepsItsFraction() throws {
    let lowPass = try #require(LowPass(shape: [6, 4, 1], fraction: 0.25))
    let trace = (0..<24).reduce(Float(0)) { sum, place in
      let unit = Tensor(shape: [6, 4, 1], elements: (0..<24).map { $0 == place ? 1 : 0 })
      return sum + lowPass(unit).elements[place]
    }
    #expect(abs(trace - 6) <= 1e-5)
  }

  /// The lowest frequency in time is what all frames have in common; space is left alone.
  @Test func lowPassInTimeAlone() throws {
    let shape = [4, 3, 2, 2]
    var random = RandomStream(seed: 3)
    let field = random.normal(shape)
    func low(_ fraction: Double, _ timeFraction: Double) throws -> Tensor {
      let lowPass = try #require(
        LowPass(shape: shape, fraction: fraction, timeFraction: timeFraction))
      return lowPass(field)
    }
    func distance(_ a: Tensor, _ b: Tensor) -> Float {
      (a - b).absolute().elements.max() ?? .infinity
    }
    let mean = field.mean(along: 0)
    let common = try low(1, 0.01)
    for frame in 0..<4 { #expect(distance(common[frame], mean) < 1e-5) }
    // Both at once: one number for each channel is left.
    let channelMeans = mean.mean(along: 0).mean(along: 0)
    #expect(distance(try low(0.01, 0.01), Tensor.zeros(shape) + channelMeans) < 1e-5)
    #expect(LowPass(shape: shape, fraction: 1, timeFraction: 1) == nil)
    // All of time, a part of space.
    let still = try low(0.01, 1)
    let sums = (still[1].sum().scalar, field[1].sum().scalar)
    #expect(abs(sums.0 - sums.1) < 1e-4)
    #expect(distance(still[1], still[2]) > 1e-3)
  }

  /// The learned baseline sees every element of the moments, channels first, and learns a reward.
  @Test(arguments: shapes) func baselineLearnsForAnyShape(_ shape: [Int]) throws {
    var random = RandomStream(seed: 2)
    let baseline = LearnedBaseline(
      elementCount: shape.reduce(1, *), promptEmbedding: random.normal([4]), learningRate: 1e-3,
      random: &random)
    let prior = prior(shape)
    let before = abs(baseline.value(of: prior) - 3)
    baseline.fit(prior, reward: 3, passCount: 50)
    #expect(abs(baseline.value(of: prior) - 3) < 0.1 * before)
    // Only the first element of each channel differs from a prior of zeros.
    let parameters = baseline.parameters
    let first = try #require(parameters.first { $0.parameter.value.rank == 2 }).parameter
    let channels = try #require(shape.last)
    var mean = Tensor.zeros(shape).elements
    for channel in 0..<channels { mean[channel] = Float(channel + 1) }
    let inputs = first.value.shape[1]
    var weights = [Float](repeating: 0, count: first.value.count)
    let perChannel = shape.reduce(1, *) / channels
    for channel in 0..<channels { weights[channel * perChannel] = 1 }
    first.value = Tensor(shape: first.value.shape, elements: weights)
    func value(_ mean: [Float]) -> Float {
      baseline.value(
        of: NoisePrior(
          mean: Tensor(shape: shape, elements: mean), standardDeviation: .ones(shape)))
    }
    #expect(inputs == 2 * shape.reduce(1, *) + 4)
    // Any other place of the mean is read by no weight.
    var other = mean
    for index in channels..<other.count { other[index] = 5 }
    #expect(value(mean) == value(other))
    #expect(value(mean) != value(mean.map { _ in 0 }))
  }

  @Test(arguments: shapes) func learnsForAnyShape(_ shape: [Int]) throws {
    var configuration = FINDConfiguration()
    configuration.frequencyFraction = 0.5
    configuration.baseline = .learned
    configuration.stepSize = 0.1
    let find = try PriorLearner(
      process: oneStep, shape: shape, promptEmbedding: .zeros([4]), configuration: configuration,
      seed: 0)
    for _ in 0..<8 {
      let noise = find.draw()
      _ = try find.learn(
        from: noise, rewards: noise.flattened(from: 1).mean(along: 1).elements.map { $0 })
    }
    #expect(find.prior.shape == shape && find.prior.mean.mean().scalar > 0.05)
  }

  @Test func frequenciesNeedAnAxis() {
    var configuration = FINDConfiguration()
    configuration.frequencyFraction = 0.5
    let error = #expect(throws: ConfigurationError.self) {
      try PriorLearner(
        process: oneStep, shape: [4], promptEmbedding: .zeros([4]), configuration: configuration,
        seed: 0)
    }
    #expect(error?.key == "frequencyFraction")
  }

  @Test func drawsHaveItsMoments() {
    let prior = prior()
    var random = RandomStream(seed: 4)
    let count = 20_000
    let noise = prior.noise(from: random.normal([count, 2, 3, 2]))
    let mean = noise.mean(along: 0)
    let std = (noise - mean).squared().mean(along: 0).squareRoot()
    for (found, wanted) in [(mean, prior.mean), (std, prior.standardDeviation)] {
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

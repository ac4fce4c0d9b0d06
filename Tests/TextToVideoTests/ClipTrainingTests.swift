import CaptionedMedia
import Configuration
import Diffusion
import NeuralNetworks
import Tensors
import Testing
import TestSupport

@testable import TextToImage
@testable import TextToVideo

/// Training of text-to-video models: clips are learned as images are, a time for each clip.
@Suite(.serialized) struct ClipTrainingTests {
  /// Clips of 4 frames of 8 x 8 pixels: a bright column that goes to the right, or to the left.
  private struct Columns: CaptionedMediaSource {
    static let names = ["a column to the right", "a column to the left"]
    let count: Int? = 4
    let frames: Int? = 4
    let width = 8
    let height = 8

    func batch(at indices: [Int]) -> CaptionedMedia {
      let clips = indices.map { index in
        Tensor(
          shape: [4, 8, 8, 3],
          elements: (0..<4 * 64 * 3).map { place in
            let (frame, x) = (place / 192, place / 3 % 8)
            let column = 2 * frame + index / 2
            return x == (index.isMultiple(of: 2) ? column : 7 - column) ? 0.8 : -0.5
          })
      }
      return CaptionedMedia(
        images: .stacked(clips), captions: indices.map { Self.names[$0 % 2] })
    }
  }

  private static func makeModel() throws -> TextToVideoModel {
    var configuration = NewClipModelConfiguration()
    configuration.text.vocabularySize = 600
    configuration.text.tokenCount = 8
    configuration.text.width = 16
    configuration.text.layerCount = 1
    configuration.text.headCount = 2
    configuration.unet.channels = [16, 16]
    configuration.unet.readsPrompt = [false, true]
    configuration.unet.headSize = 4
    configuration.unet.normGroupCount = 4
    return try configuration.makeModel(
      vocabulary: BytePairVocabulary(trainedOn: Columns.names + Columns.names, size: 600),
      width: 8, height: 8, seed: 3)
  }

  private func training(
    _ change: (inout PromptedTrainingConfiguration) -> Void = { _ in }
  ) throws -> PromptedTraining<UNet3DConditionModel> {
    var settings = PromptedTrainingConfiguration()
    settings.batchSize = 8
    settings.batchCount = 300
    settings.learningRate = 3e-3
    settings.warmUpCount = 3
    settings.emaDecay = 0.95
    change(&settings)
    return try PromptedTraining(
      model: Self.makeModel(), configuration: settings, source: Columns(), seed: 1)
  }

  private func bits(_ training: PromptedTraining<UNet3DConditionModel>) -> [String: [UInt32]] {
    training.trainingState().tensors.mapValues { $0.elements.map(\.bitPattern) }
  }

  @Test func goesOnExactlyWithAnyNumberOfThreads() throws {
    let threads = WorkerPool.shared.threadCount
    defer { WorkerPool.shared.threadCount = threads }
    WorkerPool.shared.threadCount = 1
    let whole = try training()
    for _ in 0..<4 { _ = try whole.step() }
    WorkerPool.shared.threadCount = 3
    let first = try training()
    for _ in 0..<2 { _ = try first.step() }
    let second = try training()
    try second.restore(first.trainingState())
    for _ in 0..<2 { _ = try second.step() }
    #expect(bits(second) == bits(whole))
    #expect(bits(first) != bits(whole))
  }

  /// A clip's error is what it would be alone: its own time, noise and prompt, for all its frames.
  @Test func clipsDoNotSeeEachOther() throws {
    let model = try Self.makeModel()
    // What begins at zero would hide the frames from one another.
    var random = RandomStream(seed: 8)
    for (_, parameter) in model.unet.parameters
    where parameter.value.elements.allSatisfy({ $0 == 0 }) {
      parameter.value = random.normal(parameter.value.shape) * 0.3
    }
    let loss = DenoisingLoss(model: model, configuration: PromptedTrainingConfiguration())
    let images = Columns().batch(at: [0, 1, 2]).images
    let samples = model.samples(ofSignedImages: images)
    #expect(samples.shape == [3, 4, 4, 4, 12])
    #expect(model.samples(ofSignedImages: images[1]).elements == samples[1].elements)
    let noise = random.normal(samples.shape)
    let prompts = Columns().batch(at: [0, 1, 2]).captions.map(model.tokenizer.paddedTokens)
    func errors(_ rows: Range<Int>) -> Tensor {
      loss.squaredErrors(
        samples: samples.slice(rows), noise: noise.slice(rows),
        timeSteps: Array([900, 20, 400][rows]), prompts: Array(prompts[rows]))
    }
    let together = errors(0..<3)
    for row in 0..<3 { expectClose(errors(row..<row + 1), together.slice(row..<row + 1)) }
    // And it depends on every frame.
    for frame in 0..<4 {
      var elements = noise.elements
      elements[frame * 4 * 4 * 12] += 1
      let changed = loss.squaredErrors(
        samples: samples, noise: Tensor(shape: noise.shape, elements: elements),
        timeSteps: [900, 20, 400], prompts: prompts)
      #expect(changed.elements[0] != together.elements[0])
      #expect(changed.elements[1...] == together.elements[1...])
    }
  }

  /// A clip that goes as the training's do is denoised better than the same frames in reverse, which
  /// no network of single frames could tell apart.
  @Test func learnsWhichWayThingsMove() throws {
    struct Rightwards: CaptionedMediaSource {
      let count: Int? = 2
      let frames: Int? = 4
      let width = 8
      let height = 8
      func batch(at indices: [Int]) -> CaptionedMedia {
        Columns().batch(at: indices.map { 2 * $0 })
      }
    }
    var settings = PromptedTrainingConfiguration()
    settings.batchSize = 8
    settings.learningRate = 4e-3
    settings.warmUpCount = 3
    settings.emaDecay = 0.95
    let training = try PromptedTraining(
      model: Self.makeModel(), configuration: settings, source: Rightwards(), seed: 1)
    var losses: [Double] = []
    for _ in 0..<150 { losses.append(try training.step().loss) }
    let first = losses.prefix(5).reduce(0, +) / 5
    let last = losses.suffix(20).reduce(0, +) / 20
    #expect(last < 0.5 * first)
    training.withEMAWeights { model in
      let loss = DenoisingLoss(model: model, configuration: settings)
      let forwards = Rightwards().batch(at: [0, 1, 0, 1, 0, 1, 0, 1])
      let backwards = Tensor.stacked(
        (0..<8).map { clip in
          Tensor.stacked((0..<4).map { forwards.images[clip][3 - $0] })
        })
      var random = RandomStream(seed: 4)
      let noise = random.normal([8, 4, 4, 4, 12])
      func error(_ images: Tensor) -> Float {
        loss.squaredErrors(
          samples: model.samples(ofSignedImages: images), noise: noise,
          timeSteps: [Int](repeating: 600, count: 8),
          prompts: forwards.captions.map(model.tokenizer.paddedTokens)
        ).elements.reduce(0, +)
      }
      let (right, wrong) = (error(forwards.images), error(backwards))
      #expect(right < 0.8 * wrong, "\(right) \(wrong)")
    }
  }

  @Test func imagesAreRefused() throws {
    struct Still: CaptionedMediaSource {
      let count: Int? = 1
      let width = 8
      let height = 8
      func batch(at indices: [Int]) -> CaptionedMedia {
        CaptionedMedia(images: .zeros([1, 8, 8, 3]), captions: ["nothing"])
      }
    }
    #expect {
      _ = try PromptedTraining(
        model: Self.makeModel(), configuration: PromptedTrainingConfiguration(), source: Still(),
        seed: 1)
    } throws: { "\($0)".contains("clips for a text-to-video model") }
  }
}

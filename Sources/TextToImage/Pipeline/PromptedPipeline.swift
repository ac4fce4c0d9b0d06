import Diffusion
import GenerativeModels
import NeuralNetworks
import Tensors

/// A generative model in the layout of Stable Diffusion: CLIP's text tower reads the prompts, a
/// U-Net removes noise, an autoencoder may decode.
public protocol PromptedPipeline: GenerativeModel {
  /// What removes noise.
  associatedtype Network: PromptedNetwork

  /// The parts it is made of.
  var model: PromptedModel<Network> { get }

  /// A pipeline of a model's parts.
  init(_ model: PromptedModel<Network>)
}

extension PromptedPipeline {
  /// Reads a model folder in the layout of diffusers; its weights are frozen.
  ///
  /// - Throws: `FileError` naming the file and key if a part is missing, damaged or not supported.
  public init(folder: String) throws {
    self.init(try PromptedModel(folder: folder))
    for (_, parameter) in model.parameters { parameter.isTrainable = false }
  }

  /// Encodes prompts by the model's text encoder.
  public var promptEncoder: any PromptEncoder {
    CLIPPromptEncoder(tokenizer: model.tokenizer, textEncoder: model.textEncoder)
  }

  /// Makes tokens of prompts.
  public var tokenizer: CLIPTokenizer { model.tokenizer }

  /// How many pixels a place of a sample stands for in each direction.
  public var reduction: Int { model.reduction }

  /// All weights, named by part: `text_encoder.*`, `unet.*` and `vae.*`.
  public var parameters: NamedParameters { model.parameters }

  /// That of the model.
  public var fingerprint: String { model.fingerprint }

  /// The U-Net with its prompts and guidance bound, both halves in one batch; keys and values of
  /// each different prompt are computed once. A network that is told the guidance scale runs once.
  public func denoiser(
    for condition: PromptCondition, settings: GenerationSettings
  ) -> Denoiser {
    let unet = model.unet
    func context(_ batch: PromptBatch) -> PromptContext {
      unet.context(batch.encoding.states).rows(batch.rows).guided(by: settings.guidance.scale)
    }
    let wanted = context(condition.positive)
    let guided = condition.negative.map { PromptContext.joined(context($0), wanted) } ?? wanted
    return unet.outerGuidance(settings.guidance).applied { sample, timeSteps, halves in
      unet.sharded(sample, timeSteps: timeSteps, context: halves == .both ? guided : wanted)
    }
  }

  /// Height, width and channels of samples, or of their frames.
  ///
  /// - Throws: `GenerationError` if the size is unknown or not a multiple of what the model needs.
  package func frameShape(_ settings: GenerationSettings) throws -> [Int] {
    let configuration = model.unet.configuration
    func side(_ pixels: Int?, _ index: Int) throws -> Int {
      guard let pixels else {
        guard let size = configuration.sampleSize else { throw GenerationError.unknownSize }
        return size[index]
      }
      guard pixels > 0, pixels % model.reduction == 0 else {
        throw GenerationError.size(pixels, multipleOf: model.reduction)
      }
      return pixels / model.reduction
    }
    return [try side(settings.height, 0), try side(settings.width, 1), configuration.inputChannels]
  }
}

extension PromptedModel {
  /// Stops at numbers that are infinite or none, naming the first weight at fault.
  package func requireFinite(
    _ output: Tensor, of place: NonFiniteOutput.Place, from input: Tensor? = nil
  ) throws(NonFiniteOutput) {
    try NonFiniteOutput.check(output, of: place, from: input, weights: parameters)
  }
}

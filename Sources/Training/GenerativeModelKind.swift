import Files
import GenerativeModels
import Runs
import TextToImage
import TextToVideo

/// A kind of generative model that is opened by its folder: what works with any of them, such as
/// FIND, takes all kinds that are listed here.
public struct GenerativeModelKind: Sendable {
  /// The classes of diffusers that `model_index.json` may name.
  public let pipelineClasses: [String]
  private let read: @Sendable (_ source: ModelSource, _ log: RunLog) throws -> OpenedModel
  private let fineTune: @Sendable (Run<ImageFineTuningSettings>) throws -> any TrainingJob

  /// The kind of a pipeline's models.
  public init<Pipeline: PromptedPipeline>(_ pipeline: Pipeline.Type) {
    pipelineClasses = Pipeline.Network.pipelineClasses
    read = { source, log in
      let sourced = try SourcedModel<Pipeline.Network>(source, log: log)
      return OpenedModel(pipeline: Pipeline(frozen: sourced.model), inputs: sourced.inputs)
    }
    fineTune = { try PromptedFineTuningJob<Pipeline>($0) }
  }

  /// Models of images, then of clips.
  public static let all = [
    GenerativeModelKind(TextToImagePipeline.self), GenerativeModelKind(TextToVideoPipeline.self),
    GenerativeModelKind(AnimateDiffPipeline.self),
  ]

  /// Reads a model of any kind and what comes beside it, and tells which.
  ///
  /// - Throws: `FileError` naming the class if there is no such kind, or what is missing or does not
  ///   fit.
  package static func open(_ source: ModelSource, log: RunLog) throws -> OpenedModel {
    try kind(ofFolder: source.folder).read(source, log)
  }

  /// Opens the model and the reward of a fine-tuning by policy gradients, whichever kind the model
  /// is, and starts it or goes on with it.
  ///
  /// - Throws: as `PromptedFineTuningJob`.
  public static func fineTuningJob(
    _ run: Run<ImageFineTuningSettings>
  ) throws -> any TrainingJob {
    try kind(ofFolder: run.configuration.model).fineTune(run)
  }

  private static func kind(ofFolder folder: String) throws -> GenerativeModelKind {
    let name = try TextToImageModel.pipelineClass(folder: folder)
    guard let kind = all.first(where: { $0.pipelineClasses.contains(name) }) else {
      throw FileError(
        .unsupported, path: "\(folder)/model_index.json", item: "_class_name",
        problem: "is \(name)",
        advice: "Attune reads " + all.flatMap(\.pipelineClasses).joined(separator: ", "))
    }
    return kind
  }
}

/// A generative model that was opened by its folder, with what comes beside it.
package struct OpenedModel {
  /// Draws with it; all weights are frozen.
  package let pipeline: any PromptedPipeline
  let inputs: ModelInputs

  /// Notes the model and its parts as inputs of a run; see `ModelInputs`.
  ///
  /// - Throws: `RunFolderError` if one of them is not what the run was started with; `FileError` if
  ///   a file cannot be read again.
  func require<Settings>(in run: Run<Settings>, keys: ModelSource.Keys) throws {
    try inputs.require(in: run, keys: keys, fingerprint: pipeline.fingerprint)
  }
}

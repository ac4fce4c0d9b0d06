import InitialNoise
import Runs
import TextToImage

extension NoisePriorFile {
  /// Makes sure that the prior fits a use: another model or size is refused, another prompt or way
  /// of sampling is warned of.
  ///
  /// `fingerprint` is that of the pipeline's model: every weight goes into it, so that it is
  /// computed once.
  func prepare(
    path: String, pipeline: TextToImagePipeline, fingerprint: String, prompts: [String],
    negativePrompt: String, settings: inout GenerationSettings, log: RunLog
  ) throws {
    // The size is part of what was learned.
    let reduction = pipeline.model.reduction
    settings.height = settings.height ?? prior.shape[0] * reduction
    settings.width = settings.width ?? prior.shape[1] * reduction
    try check(
      path: path, fingerprint: fingerprint, shape: try pipeline.sampleShape(settings))
    for prompt in prompts {
      let differences = origin.differences(
        prompt: prompt, negativePrompt: negativePrompt, settings: settings)
      for difference in differences { log.warn("\(path.printable) was \(difference)") }
    }
  }
}

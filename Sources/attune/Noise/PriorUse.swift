import InitialNoise
import Runs
import TextToImage

extension NoisePriorFile {
  /// Makes sure that the prior fits a use: another model or size is refused, another prompt or way of
  /// sampling is warned of.
  func prepare(
    path: String, pipeline: TextToImagePipeline, prompt: String,
    settings: inout GenerationSettings, log: RunLog
  ) throws {
    // The size is part of what was learned.
    let reduction = pipeline.model.reduction
    settings.height = settings.height ?? prior.shape[0] * reduction
    settings.width = settings.width ?? prior.shape[1] * reduction
    try check(
      path: path, fingerprint: pipeline.model.fingerprint,
      shape: try pipeline.sampleShape(settings))
    for difference in origin.differences(prompt: prompt, settings: settings) {
      log.warn("\(path.printable) was \(difference)")
    }
  }
}

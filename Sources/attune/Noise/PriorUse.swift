import GenerativeModels
import InitialNoise
import Runs

extension NoisePriorFile {
  /// Makes sure that the prior fits a use: another model or size is refused, another prompt or way
  /// of sampling is warned of.
  ///
  /// `fingerprint` is that of the model: every weight goes into it, so that it is
  /// computed once.
  func prepare(
    path: String, model: any GenerativeModel, fingerprint: String, prompts: [String],
    negativePrompt: String, settings: inout GenerationSettings, log: RunLog
  ) throws {
    // The size is part of what was learned.
    settings = model.settings(settings, fittingShape: prior.shape)
    try check(path: path, fingerprint: fingerprint, shape: try model.sampleShape(settings))
    for prompt in prompts {
      let differences = origin.differences(
        prompt: prompt, negativePrompt: negativePrompt, settings: settings)
      for difference in differences { log.warn("\(path.printable) was \(difference)") }
    }
  }
}

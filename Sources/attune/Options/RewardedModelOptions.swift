import ArgumentParser

/// What is improved, and by what: the options of the commands that improve images by a reward.
struct RewardedModelOptions: ParsableArguments {
  @Option(
    help: "The model folder, in the layout of diffusers, in place of that of the settings.",
    completion: .directory)
  var model: String?

  @Option(
    name: .customLong("prompt"),
    help: "A prompt, in place of those of the settings; may be given again for more.")
  var prompts: [String] = []

  @Option(
    help:
      "The reward, or a weighted sum, in place of that of the settings; see attune reward score.")
  var reward: String?

  @Option(
    help: "The folder of the CLIP model, for rewards that need one, in place of the settings'.",
    completion: .directory)
  var clip: String?

  func validate() throws {
    for (name, path) in [("model", model), ("clip", clip)] {
      if let path { try validatePath(path, of: name) }
    }
  }

  /// The same as settings.
  var overrides: [String] {
    var overrides = [("model", model), ("reward", reward), ("clip", clip)].compactMap {
      key, text in text.map { override(key, text: $0) }
    }
    if !prompts.isEmpty {
      overrides.append("prompts=[\(prompts.map(quotedYAML).joined(separator: ", "))]")
    }
    return overrides
  }
}

/// What a reader of a layout is asked for.
struct DemonstrationRequest {
  /// The tensors that make an observation; nil for the usual ones.
  var observations: [String]?
  /// The tensor of actions.
  var actionKey = "actions"
  /// The most episodes to read.
  var episodeLimit: Int?
  /// Which masks of a robomimic file choose episodes.
  var masks = EpisodeMasks.unused
  /// When a D4RL episode ends at the latest.
  var maxEpisodeSteps = MaxEpisodeSteps()

  /// Steps after which an episode of a D4RL file ends.
  struct MaxEpisodeSteps {
    /// What somebody asked for; nil for nothing.
    var given: Int?
    /// The time limit of the environment, for files without `timeouts`: a number and whose it is.
    var ofEnvironment: () throws -> (steps: Int, environment: String)? = { nil }
  }

  /// Refuses what a layout has no place for.
  ///
  /// - Throws: `DemonstrationError.notInFormat` naming the setting.
  func requireFit(
    _ format: DemonstrationFormat, path: String
  ) throws(DemonstrationError) {
    if case .named(let training, let validation) = masks, format != .robomimic {
      throw .notInFormat(
        path: path, setting: training == nil ? "validationFilterKey" : "filterKey",
        value: training ?? validation ?? "", format: .robomimic)
    }
    if let steps = maxEpisodeSteps.given, format != .d4rl {
      throw .notInFormat(
        path: path, setting: "maxEpisodeSteps", value: "\(steps)", format: .d4rl)
    }
  }
}

import Environments
import NeuralNetworks
import Tensors

/// Which demonstrations a policy learns from, and how.
public struct DemonstrationConfiguration: Codable, Sendable, Hashable {
  /// Where the observations come from.
  public enum ObservationSource: String, Codable, Sendable, CaseIterable {
    /// The file.
    case recorded
    /// The environment, which is put into every state of the file: for files that hold its
    /// `startingStateNames` while the policy sees something else, such as Push-T's keypoints.
    case environment
  }

  /// An npz or HDF5 file.
  public var path = ""
  /// How episodes lie in the file.
  public var format = DemonstrationFormat.automatic
  /// The tensors that make an observation; empty for the usual ones.
  public var observations: [String] = []
  /// The `normalization.npz` of a file whose steps are normalized already, as DPPO's scripts write
  /// it; empty for a file in its own units.
  public var normalization = ""
  /// Where observations come from.
  public var observationSource = ObservationSource.recorded
  /// Take no more than that many of the first episodes; 0 for all.
  public var episodeLimit = 0
  /// The share of episodes kept for validation. Their loss, of up to 4,096 chunks, is in the metrics
  /// every `evaluation.interval` batches, or in every line if that is 0; the best policy is that of
  /// the least loss where none is played in an environment.
  public var validationFraction = 0.0
  /// Steps that a chunk may start before its episode.
  public var paddingBefore = 0
  /// Steps that a chunk may reach beyond its episode; Diffusion Policy takes Ta - 1.
  public var paddingAfter = 0
  /// Prefer episodes of high return, the more the lower this is; 0 for all alike.
  public var returnTemperature = 0.0

  /// All chunks of all episodes.
  public init() {}

  /// Checks ranges.
  ///
  /// - Throws: `SettingError` naming the setting.
  public func validate(predictionCount: Int) throws(SettingError) {
    try SettingError.require(!path.isEmpty, "path", "nothing", "the path of an npz or HDF5 file")
    try SettingError.require(episodeLimit >= 0, "episodeLimit", episodeLimit, "a number from 0")
    try SettingError.require(
      (0..<1).contains(validationFraction), "validationFraction", validationFraction,
      "a number from 0 to below 1")
    for (key, value) in [("paddingBefore", paddingBefore), ("paddingAfter", paddingAfter)] {
      try SettingError.require(
        (0..<predictionCount).contains(value), key, value,
        "0 to \(predictionCount - 1), less than a chunk")
    }
    try SettingError.require(
      returnTemperature >= 0 && returnTemperature.isFinite, "returnTemperature",
      returnTemperature, "a number from 0")
  }

  /// How often each chunk is drawn.
  var weighting: ChunkWeighting {
    returnTemperature > 0 ? .episodeReturn(temperature: returnTemperature) : .uniform
  }

  /// Reads the demonstrations, with the observations that the policy is to see.
  ///
  /// - Throws: `FileError`, `DemonstrationError`, or `EnvironmentError` if the environment cannot
  ///   be put into the file's states.
  public func read(
    for environment: EnvironmentConfiguration, registry: EnvironmentRegistry = .standard
  ) throws -> Demonstrations {
    var recorded = try Demonstrations(
      contentsOf: path, format: format, observations: observations.isEmpty ? nil : observations,
      episodeLimit: episodeLimit == 0 ? nil : episodeLimit)
    if !normalization.isEmpty {
      let ranges = try DemonstrationNormalization(contentsOf: normalization)
      try ranges.requireSizes(of: recorded, path: normalization)
      recorded = recorded.denormalized(by: ranges)
    }
    switch observationSource {
    case .recorded: return recorded
    case .environment:
      return try recorded.observed(in: try environment.make(in: registry), path: path)
    }
  }
}

extension Demonstrations {
  /// The same episodes with the observations of an environment that is put into every state.
  ///
  /// - Throws: `DemonstrationError.inconsistent` if these are no states of the environment.
  func observed(in environment: any Environment, path: String) throws -> Demonstrations {
    let names = environment.startingStateNames
    guard names.count == stateSize, !names.isEmpty else {
      throw DemonstrationError.inconsistent(
        path: path, tensor: "states", found: "\(stateSize) numbers a step",
        expected: names.isEmpty
          ? "'\(environment.name)' to start from given states, which it cannot: set "
            + "observationSource to recorded"
          : "the \(names.count) of '\(environment.name)': \(names.joined(separator: ", "))")
    }
    var result = Demonstrations(
      stateSize: environment.observationSpace.count, actionSize: actionSize)
    result.actions = actions
    result.rewards = rewards
    result.terminals = terminals
    result.lengths = lengths
    result.notes = notes
    result.states.reserveCapacity(stepCount * result.stateSize)
    for start in stride(from: 0, to: states.count, by: stateSize) {
      environment.reset(.state(states[start..<start + stateSize].map(Double.init)))
      result.states += environment.observation
    }
    return result
  }
}

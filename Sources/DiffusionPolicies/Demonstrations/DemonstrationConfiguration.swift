import Configuration
import Environments
import Tensors

/// Which demonstrations a policy learns from, and how.
public struct DemonstrationConfiguration: Settings {
  /// Where the observations come from.
  public enum ObservationSource: String, Codable, Sendable, CaseIterable {
    /// The file.
    case recorded
    /// The environment, which is put into every state of the file: for files that hold its
    /// `startingStateNames` while the policy sees something else, such as Push-T's keypoints.
    case environment
  }

  /// An npz, HDF5 or `.zarr.zip` file, or the folder of a LeRobot, Minari or zarr data set.
  @Setting(.required("the path of an npz or HDF5 file or of a data set's folder"))
  public var path = ""
  /// More files and folders to learn from in the same training, after that of `path`; their steps
  /// have the same sizes. Other settings hold for each of them: a mask is one that every file has.
  public var morePaths: [String] = []
  /// How episodes lie in the files.
  public var format = DemonstrationFormat.automatic
  /// The tensors that make an observation; empty for the usual ones, such as LeRobot's
  /// `observation.state` and `observation.environment_state`.
  public var observations: [String] = []
  /// The tensors of images that the policy sees too: robomimic's keys, as in `agentview_image`,
  /// LeRobot's `observation.images.NAME`, `img` of a zarr, keys of Minari's observations, or `images`
  /// of an npz, with three channels for each camera; empty for none.
  /// Where the policy's environment has as many cameras of the same sizes, they are taken for those.
  public var images: [String] = []
  /// The width and the height that images of a LeRobot data set are made to, by the mean of areas;
  /// empty to leave them as they are.
  public var imageSize: [Int] = []
  /// The tensor of actions, such as robomimic's `actions_abs` (its `action_keys`); where there are
  /// no `actions`, the `action` of LeRobot and Diffusion Policy.
  @Setting(.required("the name of the tensor of actions")) public var actionKey = "actions"
  /// The mask of the episodes to train on in a robomimic file (its `hdf5_filter_key`); empty for
  /// `train` where a file has `train` and `valid` and `validationFraction` is 0, else for all
  /// episodes; `none` for all of them in any case.
  public var filterKey = ""
  /// The mask of the episodes kept for validation (robomimic's `hdf5_validation_filter_key`);
  /// empty for `valid` where `filterKey` takes `train` by itself, else for none.
  public var validationFilterKey = ""
  /// Steps after which an episode of a D4RL file ends at the latest; 0 for the ends that the file
  /// marks, with the environment's time limit where it has no `timeouts`.
  @Setting(.notNegative) public var maxEpisodeSteps = 0
  /// The `normalization.npz` of a file whose steps are normalized already, as DPPO's scripts write
  /// it; empty for a file in its own units. `none` says that a file is in its own units although
  /// all of them lie in [-1, 1] and touch both ends, which is refused otherwise.
  public var normalization = ""
  /// Where observations come from.
  public var observationSource = ObservationSource.recorded
  /// Take no more than that many of the first episodes of all files together, not counting those
  /// that a mask keeps for validation; 0 for all.
  @Setting(.notNegative) public var episodeLimit = 0
  /// The fraction of episodes kept for validation. Their loss, of up to 4,096 chunks, is in the
  /// metrics every `evaluation.interval` batches, or in every line if that is 0; the best policy is
  /// that of the minimum loss where none is played in an environment.
  @Setting(.properFraction) public var validationFraction = 0.0
  /// Steps that a chunk may start before its episode.
  @Setting(.notNegative) public var paddingBefore = 0
  /// Steps that a chunk may reach beyond its episode; Diffusion Policy takes Ta - 1.
  @Setting(.notNegative) public var paddingAfter = 0
  /// Prefer episodes of high return, the more the lower this is; 0 for all alike.
  @Setting(.notNegative) public var returnTemperature = 0.0

  /// All chunks of all episodes.
  public init() {}

  /// What says that there is none, where empty has another meaning.
  private static let none = "none"

  /// Cameras have names of their own; a mask and a fraction cannot both choose the episodes; no file
  /// comes twice.
  public func checkRelations() throws {
    for (index, path) in morePaths.enumerated() {
      try ConfigurationError.require(
        !path.isEmpty && !([self.path] + morePaths[..<index]).contains(path), "morePaths", path,
        "paths that differ from one another and from path")
    }
    try ConfigurationError.require(
      Set(images).count == images.count, "images", images, "each tensor once: it is a camera")
    try ConfigurationError.require(
      imageSize.isEmpty || imageSize.count == 2 && imageSize.allSatisfy((1...4_096).contains),
      "imageSize", imageSize, "a width and a height, 1 to 4096 each")
    try ConfigurationError.require(
      validationFilterKey.isEmpty || validationFraction == 0, "validationFraction",
      validationFraction, "0, as validationFilterKey names the episodes")
  }

  /// Checks what a policy's chunks allow.
  ///
  /// - Throws: `ConfigurationError` naming the setting.
  public func check(horizonSteps: Int) throws {
    for (key, value) in [("paddingBefore", paddingBefore), ("paddingAfter", paddingAfter)] {
      try ConfigurationError.require(
        value < horizonSteps, key, value, "0 to \(horizonSteps - 1), less than a chunk")
    }
  }

  /// How often each chunk is drawn.
  var weighting: ChunkWeighting {
    returnTemperature > 0 ? .episodeReturn(temperature: returnTemperature) : .uniform
  }

  /// The masks to use.
  private var masks: EpisodeMasks {
    let validation = validationFilterKey.isEmpty ? nil : validationFilterKey
    switch filterKey {
    case Self.none where validation == nil: return .unused
    case Self.none: return .named(training: nil, validation: validation)
    case "" where validation != nil: return .named(training: nil, validation: validation)
    case "": return validationFraction == 0 ? .usual : .unused
    default: return .named(training: filterKey, validation: validation)
    }
  }

  /// Reads the demonstrations, with the observations that the policy is to see.
  ///
  /// - Throws: `FileError`, `DemonstrationError`, or `EnvironmentError` if the environment cannot
  ///   be put into the file's states.
  public func read(
    for environment: EnvironmentConfiguration, registry: EnvironmentRegistry = .standard
  ) throws -> Demonstrations {
    guard !morePaths.isEmpty else {
      return try read(path, episodeLimit: episodeLimit, for: environment, in: registry)
    }
    var parts: [(path: String, part: Demonstrations)] = []
    var trainedCount = 0
    var unread: [String] = []
    for path in paths {
      guard episodeLimit == 0 || trainedCount < episodeLimit else {
        unread.append("\(path): not read, as demonstrations.episodeLimit is reached before it")
        continue
      }
      let part = try read(
        path, episodeLimit: episodeLimit == 0 ? 0 : episodeLimit - trainedCount, for: environment,
        in: registry)
      trainedCount += part.lengths.count - part.validationEpisodes.count
      parts.append((path, part))
    }
    var all = try Demonstrations.joined(parts)
    all.notes += unread
    return all
  }

  /// All files and folders, in order.
  public var paths: [String] { [path] + morePaths }

  /// Reads one of them; a limit of 0 is none.
  private func read(
    _ path: String, episodeLimit: Int, for environment: EnvironmentConfiguration,
    in registry: EnvironmentRegistry
  ) throws -> Demonstrations {
    var request = DemonstrationRequest()
    request.observations = observations.isEmpty ? nil : observations
    request.images = images
    request.imageSize = imageSize.isEmpty ? nil : (imageSize[0], imageSize[1])
    request.actionKey = actionKey
    request.episodeLimit = episodeLimit == 0 ? nil : episodeLimit
    request.masks = masks
    request.maxEpisodeSteps.given = maxEpisodeSteps == 0 ? nil : maxEpisodeSteps
    request.maxEpisodeSteps.ofEnvironment = {
      try environment.timeLimit(in: registry).map { ($0, environment.name) }
    }
    var recorded = try Demonstrations(contentsOf: path, format: format, request)
    recorded = try inOwnUnits(recorded, path: path)
    if let name = recorded.recordedEnvironment, name != environment.name, !environment.isNone {
      recorded.notes.append(
        "recorded in '\(name)' (env_args); the policy is for '\(environment.name)'")
    }
    if !recorded.images.isEmpty {
      recorded.nameImages(after: try environment.cameras(in: registry))
    }
    switch observationSource {
    case .recorded: return recorded
    case .environment:
      return try recorded.observed(in: try environment.make(in: registry), path: path)
    }
  }

  /// Takes back the normalization of the file's writer.
  private func inOwnUnits(_ recorded: Demonstrations, path: String) throws -> Demonstrations {
    switch normalization {
    case Self.none: return recorded
    case "":
      guard !recorded.looksNormalized else { throw DemonstrationError.normalized(path: path) }
      return recorded
    default:
      let ranges = try DemonstrationNormalization(contentsOf: normalization)
      try ranges.requireSizes(of: recorded, path: normalization)
      var result = recorded.denormalized(by: ranges)
      let outside = recorded.countOutsideUnitRange
      if outside > 0 {
        result.notes.append(
          "\(outside) of its numbers lie outside of [-1, 1], though demonstrations.normalization "
            + "states that it is normalized")
      }
      return result
    }
  }
}

extension EnvironmentConfiguration {
  /// Its cameras; none of an environment that the registry lacks.
  fileprivate func cameras(in registry: EnvironmentRegistry) throws -> [Camera] {
    registry.knows(name) ? try make(in: registry).cameras : []
  }

  /// The steps after which it ends an episode; nil for an environment that the registry lacks.
  fileprivate func timeLimit(in registry: EnvironmentRegistry) throws -> Int? {
    guard registry.knows(name) else { return nil }
    return try make(in: registry).layer(TimeLimit.self)?.stepLimit
  }
}

extension Demonstrations {
  /// The same episodes with the observations of an environment that is put into every state, and
  /// with the images of its cameras if it has some.
  ///
  /// - Throws: `DemonstrationError.inconsistent` if these are no states of the environment; what
  ///   its `reset` throws.
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
    result.framesPerSecond = framesPerSecond
    result.tasks = tasks
    result.validationEpisodes = validationEpisodes
    result.recordedEnvironment = recordedEnvironment
    result.looksNormalized = looksNormalized
    result.states.reserveCapacity(stepCount * result.stateSize)
    var frames: [Observations] = []
    for start in stride(from: 0, to: states.count, by: stateSize) {
      try environment.reset(.state(states[start..<start + stateSize].map(Double.init)))
      result.states += environment.observation
      if !environment.cameras.isEmpty { frames.append(try environment.observations()) }
    }
    result.images =
      environment.cameras.isEmpty
      ? images
      : environment.cameras.map { camera in
        .concatenated(frames.map { $0.images(of: camera) })
      }
    return result
  }
}

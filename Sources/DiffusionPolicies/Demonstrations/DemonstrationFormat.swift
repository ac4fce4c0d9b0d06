import Files

/// How episodes lie in a file.
public enum DemonstrationFormat: String, Sendable, CaseIterable, Codable {
  /// Whatever the file's content says.
  case automatic
  /// An npz: `states`, `actions`, `traj_lengths`; `rewards` and `terminals` may be missing.
  case dppo
  /// HDF5 with `data/demo_<n>/obs/<key>` and `actions`; `rewards` and `dones` may be missing, as in
  /// files of MimicGen and Isaac Lab.
  case robomimic
  /// HDF5 with `observations`, `actions`, `rewards`, `terminals` and `timeouts`, one row a step;
  /// one of the last two may be missing, and `rewards`.
  case d4rl
}

extension Demonstrations {
  /// Reads episodes, in the order of the file.
  ///
  /// - Parameters:
  ///   - path: an npz or HDF5 file.
  ///   - format: how episodes lie in it.
  ///   - observations: which tensors make the observation, joined in this order; nil for the usual
  ///     ones: `states`, `observations`, or those robomimic's low-dimensional policies see.
  ///   - actionKey: the tensor of actions.
  ///   - episodeLimit: reads no more than that many of the first episodes.
  ///   - masks: which episodes of a robomimic file to read, and which of them are for validation.
  ///   - maxEpisodeSteps: the steps after which an episode of a D4RL file ends; nil for files that
  ///     mark all ends.
  /// - Throws: `FileError` if the file or a tensor cannot be read, `DemonstrationError` if tensors
  ///   do not fit together or have values that are not finite.
  public init(
    contentsOf path: String, format: DemonstrationFormat = .automatic,
    observations: [String]? = nil, actionKey: String = "actions", episodeLimit: Int? = nil,
    masks: EpisodeMasks = .unused, maxEpisodeSteps: Int? = nil
  ) throws {
    precondition(episodeLimit ?? 1 > 0, "an episode limit of \(episodeLimit ?? 0)")
    precondition(maxEpisodeSteps ?? 1 > 0, "episodes of \(maxEpisodeSteps ?? 0) steps")
    precondition(observations?.isEmpty != true, "no observations are asked for")
    var request = DemonstrationRequest()
    request.observations = observations
    request.actionKey = actionKey
    request.episodeLimit = episodeLimit
    request.masks = masks
    request.maxEpisodeSteps.given = maxEpisodeSteps
    try self.init(contentsOf: path, format: format, request)
  }

  init(
    contentsOf path: String, format: DemonstrationFormat, _ request: DemonstrationRequest
  ) throws {
    let format = format == .automatic ? try Self.recognize(path, request) : format
    try request.requireFit(format, path: path)
    switch format {
    case .dppo: self = try Self.dppo(try NPZFile(path: path), request)
    case .d4rl:
      self = try Self.d4rl(try HDF5File(path: path), request)
      looksNormalized = touchesUnitRange
    case .robomimic, .automatic:
      self = try Self.robomimic(try HDF5File(path: path), request)
      looksNormalized = touchesUnitRange
    }
  }

  private static func recognize(
    _ path: String, _ request: DemonstrationRequest
  ) throws -> DemonstrationFormat {
    switch try FileKind(path: path) {
    case .npz:
      let names = try NPZFile(path: path).names
      guard Set(names).isSuperset(of: [request.actionKey, "traj_lengths"]) else {
        throw DemonstrationError.unknownFormat(path: path, names: names)
      }
      return .dppo
    case .hdf5:
      let file = try HDF5File(path: path)
      if !RobomimicFile(file).episodes.isEmpty { return .robomimic }
      guard isD4RL(file.names, actionKey: request.actionKey) else {
        throw DemonstrationError.unknownFormat(path: path, names: file.names)
      }
      return .d4rl
    case let kind:
      throw DemonstrationError.unknownFormat(path: path, names: ["a \(kind.rawValue) file"])
    }
  }
}

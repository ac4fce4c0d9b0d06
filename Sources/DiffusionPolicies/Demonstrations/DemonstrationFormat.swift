import Files

/// How episodes lie in a file.
public enum DemonstrationFormat: String, Sendable, CaseIterable, Codable {
  /// Whatever the file's content says.
  case automatic
  /// An npz: `states`, `actions`, `traj_lengths`; `rewards` and `terminals` may be missing.
  case dppo
  /// HDF5 with `data/demo_<n>/obs/<key>`, `actions`, `rewards` and `dones`.
  case robomimic
  /// HDF5 with `observations`, `actions`, `rewards`, `terminals` and `timeouts`, one row a step.
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
  ///   - episodeLimit: reads no more than that many of the first episodes.
  /// - Throws: `FileError` if the file or a tensor cannot be read, `DemonstrationError` if tensors
  ///   do not fit together or have values that are not finite.
  public init(
    contentsOf path: String, format: DemonstrationFormat = .automatic,
    observations: [String]? = nil, episodeLimit: Int? = nil
  ) throws {
    precondition(episodeLimit ?? 1 > 0, "an episode limit of \(episodeLimit ?? 0)")
    precondition(observations?.isEmpty != true, "no observations are asked for")
    let request = DemonstrationRequest(observations: observations, episodeLimit: episodeLimit)
    switch format {
    case .automatic: self = try Self.recognize(path, request)
    case .dppo: self = try Self.dppo(try NPZFile(path: path), request)
    case .robomimic: self = try Self.robomimic(try HDF5File(path: path), request)
    case .d4rl: self = try Self.d4rl(try HDF5File(path: path), request)
    }
  }

  private static func recognize(
    _ path: String, _ request: DemonstrationRequest
  ) throws -> Demonstrations {
    switch try FileKind(path: path) {
    case .npz:
      let file = try NPZFile(path: path)
      guard Set(file.names).isSuperset(of: ["actions", "traj_lengths"]) else {
        throw DemonstrationError.unknownFormat(path: path, names: file.names)
      }
      return try dppo(file, request)
    case .hdf5:
      let file = try HDF5File(path: path)
      if !robomimicEpisodes(in: file).isEmpty { return try robomimic(file, request) }
      guard file.names.contains("actions"), file.names.contains("terminals") else {
        throw DemonstrationError.unknownFormat(path: path, names: file.names)
      }
      return try d4rl(file, request)
    case let kind:
      throw DemonstrationError.unknownFormat(path: path, names: ["a \(kind.rawValue) file"])
    }
  }
}

/// What a reader of a layout is asked for.
struct DemonstrationRequest {
  let observations: [String]?
  let episodeLimit: Int?
}

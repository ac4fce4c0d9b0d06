import Files
import Foundation

/// The listing of a robomimic file: groups `data/demo_<n>`, and what the file says about them.
struct RobomimicFile {
  /// One episode: a group with datasets.
  struct Episode {
    /// As in `demo_3`.
    let name: String
    /// What the group has, by the name inside it, as in `obs/object`.
    let datasets: [String: HDF5Dataset]
    /// Whether somebody marked it as a failure, as Isaac Lab does; nil if nobody evaluated it.
    let isFailure: Bool?

    /// The name of a dataset in the file.
    func path(_ dataset: String) -> String { "\(RobomimicFile.folder)\(name)/\(dataset)" }

    /// Whether nothing was recorded in it.
    func isEmpty(actionKey: String) -> Bool {
      datasets.isEmpty || datasets[actionKey]?.shape.first == 0
    }

    /// The names of its observations, sorted.
    var observations: [String] {
      let prefix = RobomimicFile.observationFolder
      return datasets.keys.filter { $0.hasPrefix(prefix) }
        .map { String($0.dropFirst(prefix.count)) }.sorted()
    }
  }

  let file: HDF5File
  /// By number.
  let episodes: [Episode]

  fileprivate static let folder = "data/"
  static let observationFolder = "obs/"
  /// What robomimic calls a state of an environment that has but one.
  static let flatObservation = "flat"
  /// robomimic's number for environments that are not robosuite's.
  static let gymType = 2
  private static let prefix = "demo_"

  /// Lists a file; it has no episodes if it is another one.
  init(_ file: HDF5File) {
    self.file = file
    var datasets: [Substring: [String: HDF5Dataset]] = [:]
    for dataset in file.datasets where dataset.name.hasPrefix(Self.folder) {
      let parts = dataset.name.dropFirst(Self.folder.count)
        .split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { datasets[parts[0], default: [:]][String(parts[1])] = dataset }
    }
    episodes = file.groups.compactMap { group -> (Int, Episode)? in
      let name = group.dropFirst(Self.folder.count)
      guard group.hasPrefix(Self.folder), name.hasPrefix(Self.prefix),
        let number = Int(name.dropFirst(Self.prefix.count))
      else { return nil }
      return (
        number,
        Episode(
          name: String(name), datasets: datasets[name] ?? [:],
          isFailure: file.attributes(of: group)["success"]?.integer.map { $0 == 0 })
      )
    }
    .sorted { $0.0 < $1.0 }.map(\.1)
  }

  /// The environment that it was recorded in, as its `env_args` say; nil if they do not.
  var environment: String? {
    struct Arguments: Decodable { let env_name: String }
    return environmentArguments(Arguments.self)?.env_name
  }

  /// Whether the controller that `actions` were recorded with takes changes and no goals, as its
  /// `env_args` say: robosuite's `control_delta`, or `input_type` since 1.5.
  var hasDeltaController: Bool {
    struct Arguments: Decodable {
      struct Keywords: Decodable { let controller_configs: Controller }
      struct Controller: Decodable {
        let control_delta: Bool?
        let body_parts: [String: Part]?
      }
      struct Part: Decodable { let input_type: String? }
      let env_kwargs: Keywords
    }
    guard let controller = environmentArguments(Arguments.self)?.env_kwargs.controller_configs
    else {
      return false
    }
    return controller.control_delta == true
      || controller.body_parts?.values.contains { $0.input_type == "delta" } == true
  }

  /// What is known of `env_args`; nil if they are not there, or of another shape.
  private func environmentArguments<Arguments: Decodable>(_ type: Arguments.Type) -> Arguments? {
    guard let text = file.attributes(of: "data")["env_args"]?.text else { return nil }
    do {
      return try JSONDecoder().decode(type, from: Data(text.utf8))
    } catch {
      return nil  // A remark of the file's writer, on which nothing depends.
    }
  }
}

extension Demonstrations {
  /// What robomimic's low-dimensional policies see, as far as a task has it; `flat` in its Gym tasks.
  private static let usualObservations = [
    "robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos",
    "robot1_eef_pos", "robot1_eef_quat", "robot1_gripper_qpos", "object",
    RobomimicFile.flatObservation,
  ]
  private static let (rewards, dones) = ("rewards", "dones")

  /// Reads a robomimic file; a step that is `dones` is a terminal.
  ///
  /// Rewards and dones may be missing, as in files of MimicGen and Isaac Lab: rewards are then not
  /// known, and no step is a terminal.
  static func robomimic(
    _ file: HDF5File, _ request: DemonstrationRequest
  ) throws -> Demonstrations {
    let listing = RobomimicFile(file)
    let masked = try MaskedEpisodes(
      request.masks, in: file, episodes: listing.episodes.map(\.name))
    let wanted = wanted(listing.episodes, masked, limit: request.episodeLimit)
    let episodes = wanted.filter { !$0.isEmpty(actionKey: request.actionKey) }
    guard let first = episodes.first else {
      let reason =
        if listing.episodes.isEmpty {
          "no groups 'data/demo_<n>'"
        } else if wanted.isEmpty {
          "masks choose none of its \(listing.episodes.count.of("episode"))"
        } else {
          "none of \(wanted.count.of("episode")) has steps in '\(request.actionKey)'"
        }
      throw DemonstrationError.noEpisodes(path: file.path, reason: reason)
    }
    let keys =
      try request.observations
      ?? usualKeys(of: first, seesImages: !request.images.isEmpty, path: file.path)
    let parts = try read(episodes, keys: keys, request, in: file)
    var result = Demonstrations(stateSize: parts[0].stateSize, actionSize: parts[0].actionSize)
    for part in parts { result.append(part) }
    result.validationEpisodes = episodes.indices.filter {
      masked.validation.contains(episodes[$0].name)
    }
    result.recordedEnvironment = listing.environment
    result.notes += masked.notes
    if request.actionKey.hasSuffix("_abs"), listing.hasDeltaController {
      result.notes.append(
        "'\(request.actionKey)' are goals, but the controller in env_args takes changes: a policy of "
          + "them acts in an environment whose controller is set to absolute actions")
    }
    if wanted.count > episodes.count {
      result.notes.append(
        "\((wanted.count - episodes.count).of("episode")) without steps: left out")
    }
    result.notes += notes(on: episodes, keys: keys + request.images, actionKey: request.actionKey)
    return result
  }

  /// The chosen episodes, of which those to train on may be limited.
  private static func wanted(
    _ episodes: [RobomimicFile.Episode], _ masked: MaskedEpisodes, limit: Int?
  ) -> [RobomimicFile.Episode] {
    let trained = masked.chosen.filter { !masked.validation.contains($0) }
    let names = Set(trained.prefix(limit ?? trained.count)).union(masked.validation)
    return episodes.filter { names.contains($0.name) }
  }

  /// A policy that sees images finds objects in them: it is not told where they are.
  private static func usualKeys(
    of episode: RobomimicFile.Episode, seesImages: Bool, path: String
  ) throws -> [String] {
    let available = episode.observations
    let keys = usualObservations.filter { name in
      available.contains(name) && !(seesImages && name == "object")
    }
    guard !keys.isEmpty else {
      throw DemonstrationError.noObservations(path: path, available: available)
    }
    return keys
  }

  /// Reads episodes, all at once: each call of the file starts a process.
  private static func read(
    _ episodes: [RobomimicFile.Episode], keys: [String], _ request: DemonstrationRequest,
    in file: HDF5File
  ) throws -> [Demonstrations] {
    let names = episodes.map { episode in
      (keys + request.images).map { RobomimicFile.observationFolder + $0 } + [request.actionKey]
        + [rewards, dones].filter { episode.datasets[$0] != nil }
    }
    var stored = try file.storedTensors(
      named: zip(episodes, names).flatMap { episode, names in names.map(episode.path) }
    )[...]
    var parts: [Demonstrations] = []
    for (episode, names) in zip(episodes, names) {
      // A tensor may be named twice, as a state and as an image.
      let tensors = Dictionary(
        zip(names, stored.prefix(names.count)), uniquingKeysWith: { first, _ in first })
      stored = stored.dropFirst(names.count)
      parts.append(
        try self.episode(
          episode, tensors, keys: keys, request, path: file.path, like: parts.first))
    }
    return parts
  }

  /// One episode of its tensors.
  private static func episode(
    _ episode: RobomimicFile.Episode, _ stored: [String: StoredTensor], keys: [String],
    _ request: DemonstrationRequest, path: String, like first: Demonstrations?
  ) throws -> Demonstrations {
    let tensors = CheckedTensors(path: path)
    let actionKey = request.actionKey
    func rows(_ name: String, count: Int? = nil) throws -> (values: [Float], width: Int) {
      guard let tensor = stored[name] else { return ([], 0) }
      return try tensors.rows(tensor, named: episode.path(name), count: count)
    }
    func column(_ name: String, count: Int) throws -> [Float]? {
      try stored[name].map {
        try tensors.column($0, named: episode.path(name), count: count)
      }
    }
    let (actions, actionSize) = try rows(actionKey)
    let count = actions.count / actionSize
    let observations = try keys.map {
      try rows(RobomimicFile.observationFolder + $0, count: count)
    }
    let stateSize = observations.reduce(0) { $0 + $1.width }
    if let first, (first.stateSize, first.actionSize) != (stateSize, actionSize) {
      throw DemonstrationError.inconsistent(
        path: path, tensor: episode.path(actionKey),
        found: "\(stateSize) observations and \(actionSize) actions",
        expected: "\(first.stateSize) and \(first.actionSize) as in the first episode")
    }
    var result = Demonstrations(stateSize: stateSize, actionSize: actionSize)
    result.states = joined(observations, count: count)
    result.actions = actions
    for (index, name) in request.images.enumerated() {
      let tensor = RobomimicFile.observationFolder + name
      guard let stored = stored[tensor] else { continue }
      let images = try RecordedImages.channelsLast(
        stored, camera: name, named: episode.path(tensor), count: count, path: path)
      try RecordedImages.requireSame(
        images, as: first?.images[index], named: episode.path(tensor), path: path)
      result.images.append(images)
    }
    result.rewards = try column(rewards, count: count) ?? []
    result.terminals =
      try column(dones, count: count).map { $0.map { $0 != 0 } }
      ?? [Bool](repeating: false, count: count)
    result.lengths = [count]
    return result
  }

  /// What the episodes have beside what was read, and what they lack.
  private static func notes(
    on episodes: [RobomimicFile.Episode], keys: [String], actionKey: String
  ) -> [String] {
    let folder = RobomimicFile.observationFolder
    let taken = Set(keys.map { folder + $0 } + [actionKey, rewards, dones])
    let names = Set(episodes.flatMap(\.datasets.keys)).subtracting(taken).sorted()
    let unrewarded = episodes.count { $0.datasets[rewards] == nil }
    let failures = episodes.count { $0.isFailure == true }
    return [
      ReadingNotes.notRead(
        "observation",
        names.filter { $0.hasPrefix(folder) }.map { String($0.dropFirst(folder.count)) },
        advice: "; demonstrations.observations names those to read"),
      ReadingNotes.notRead("other tensor", names.filter { !$0.hasPrefix(folder) }),
      unrewarded > 0
        ? "no 'rewards' in \(unrewarded) of \(episodes.count.of("episode")): returns are not known"
        : nil,
      ReadingNotes.squeezed(
        episodes.flatMap { episode in
          episode.datasets.filter { taken.contains($0.key) && ![rewards, dones].contains($0.key) }
            .sorted { $0.key < $1.key }.map { (episode.path($0.key), $0.value.shape) }
        }),
      failures > 0
        ? "\(failures.of("episode")) marked as failures (success is 0) are read too" : nil,
    ].compactMap { $0 }
  }
}

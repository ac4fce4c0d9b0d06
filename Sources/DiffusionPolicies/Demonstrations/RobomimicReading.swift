import Files

extension Demonstrations {
  /// What robomimic's low-dimensional policies see, as far as a task has it.
  private static let usualObservations = [
    "robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos",
    "robot1_eef_pos", "robot1_eef_quat", "robot1_gripper_qpos", "object",
  ]
  private static let prefix = "data/demo_"

  /// The groups of a robomimic file's episodes by number; empty if the file is another one.
  static func robomimicEpisodes(in file: HDF5File) -> [String] {
    file.groups.compactMap { group -> (Int, String)? in
      guard group.hasPrefix(prefix), let number = Int(group.dropFirst(prefix.count)) else {
        return nil
      }
      return (number, group)
    }
    .sorted { $0.0 < $1.0 }.map(\.1)
  }

  /// Reads a robomimic file; a step that is `dones` is a terminal.
  static func robomimic(
    _ file: HDF5File, _ request: DemonstrationRequest
  ) throws -> Demonstrations {
    let all = robomimicEpisodes(in: file)
    guard let first = all.first else {
      throw DemonstrationError.noEpisodes(path: file.path, reason: "no groups '\(prefix)<n>'")
    }
    let keys = try request.observations ?? usualKeys(in: file, episode: first)
    let episodes = all.prefix(request.episodeLimit ?? all.count)
    let names = keys.map { "obs/\($0)" } + ["actions", "rewards", "dones"]
    // All at once: each call starts a process.
    let stored = try file.storedTensors(
      named: episodes.flatMap { episode in names.map { "\(episode)/\($0)" } })
    var result: Demonstrations?
    for (index, episode) in episodes.enumerated() {
      let start = index * names.count
      let part = try self.episode(
        Array(stored[start..<(start + names.count)]), named: names.map { "\(episode)/\($0)" },
        path: file.path, sizes: result.map { ($0.stateSize, $0.actionSize) })
      if result == nil { result = part } else { result?.append(part) }
    }
    guard var result else {
      throw DemonstrationError.noEpisodes(path: file.path, reason: "no groups '\(prefix)<n>'")
    }
    if file.groups.contains("mask") {
      result.notes.append("'mask' is not read: split episodes by a fraction instead")
    }
    return result
  }

  private static func usualKeys(in file: HDF5File, episode: String) throws -> [String] {
    let path = "\(episode)/obs/"
    let available = file.names.filter { $0.hasPrefix(path) }
      .map { String($0.dropFirst(path.count)) }
    let keys = usualObservations.filter(available.contains)
    guard !keys.isEmpty else {
      throw DemonstrationError.noObservations(path: file.path, available: available)
    }
    return keys
  }

  /// One episode of its observations, actions, rewards and dones.
  private static func episode(
    _ stored: [StoredTensor], named names: [String], path: String, sizes: (Int, Int)?
  ) throws -> Demonstrations {
    let tensors = CheckedTensors(path: path)
    let last = stored.count - 3
    let (actions, actionSize) = try tensors.rows(stored[last], named: names[last])
    let count = actions.count / actionSize
    guard count > 0 else {
      throw DemonstrationError.shape(
        path: path, tensor: names[last], found: stored[last].shape, expected: "at least one step")
    }
    let observations = try (0..<last).map { index in
      try tensors.rows(stored[index], named: names[index], count: count)
    }
    let stateSize = observations.reduce(0) { $0 + $1.width }
    if let sizes, sizes != (stateSize, actionSize) {
      throw DemonstrationError.inconsistent(
        path: path, tensor: names[last],
        found: "\(stateSize) observations and \(actionSize) actions",
        expected: "\(sizes.0) and \(sizes.1) as in the first episode")
    }
    var result = Demonstrations(stateSize: stateSize, actionSize: actionSize)
    result.states = joined(observations, count: count)
    result.actions = actions
    result.rewards = try tensors.column(stored[last + 1], named: names[last + 1], count: count)
    let dones = try tensors.column(stored[last + 2], named: names[last + 2], count: count)
    result.terminals = dones.map { $0 != 0 }
    result.lengths = [count]
    return result
  }
}

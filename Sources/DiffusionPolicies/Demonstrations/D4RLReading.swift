import Files

extension Demonstrations {
  /// Reads a D4RL file: an episode ends with the step that is a terminal or a time-out.
  ///
  /// Steps after the last end are left out, as the reference does. The reference also leaves out
  /// episodes without positive return; these are kept here.
  static func d4rl(_ file: HDF5File, _ request: DemonstrationRequest) throws -> Demonstrations {
    let tensors = CheckedTensors(path: file.path)
    let keys = request.observations ?? ["observations"]
    let names = keys + ["actions", "rewards", "terminals", "timeouts"]
    let stored = try file.storedTensors(named: names)
    let (actions, actionSize) = try tensors.rows(stored[keys.count], named: "actions")
    let count = actions.count / actionSize
    let observations = try keys.indices.map { index in
      try tensors.rows(stored[index], named: keys[index], count: count)
    }
    func column(_ index: Int) throws -> [Float] {
      try tensors.column(
        stored[keys.count + index], named: names[keys.count + index], count: count)
    }
    let (rewards, terminals, timeouts) = (try column(1), try column(2), try column(3))

    let ends = (0..<count).filter { terminals[$0] != 0 || timeouts[$0] != 0 }
      .prefix(request.episodeLimit ?? count)
    guard let last = ends.last else {
      throw DemonstrationError.noEpisodes(
        path: file.path, reason: "no step is marked in 'terminals' or 'timeouts'")
    }
    let kept = last + 1
    let stateSize = observations.reduce(0) { $0 + $1.width }
    var result = Demonstrations(stateSize: stateSize, actionSize: actionSize)
    result.states = Array(joined(observations, count: count)[..<(kept * stateSize)])
    result.actions = Array(actions[..<(kept * actionSize)])
    result.rewards = Array(rewards[..<kept])
    result.terminals = terminals[..<kept].map { $0 != 0 }
    result.lengths = zip(ends, [-1] + ends).map { $0 - $1 }
    if kept < count, request.episodeLimit == nil {
      result.notes.append("the last \(count - kept) steps belong to no whole episode: left out")
    }
    return result
  }
}

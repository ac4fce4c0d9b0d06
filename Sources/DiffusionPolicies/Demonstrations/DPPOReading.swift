import Files

extension Demonstrations {
  /// Reads the npz that DPPO's scripts write.
  static func dppo(_ file: NPZFile, _ request: DemonstrationRequest) throws -> Demonstrations {
    let tensors = CheckedTensors(path: file.path)
    let observations = try (request.observations ?? ["states"]).map { name in
      try tensors.rows(file.storedTensor(named: name), named: name)
    }
    let stateSize = observations.reduce(0) { $0 + $1.width }
    let (actions, actionSize) = try tensors.rows(
      file.storedTensor(named: "actions"), named: "actions")
    let count = actions.count / actionSize
    for (name, rows) in zip(request.observations ?? ["states"], observations)
    where rows.values.count != count * rows.width {
      throw DemonstrationError.shape(
        path: file.path, tensor: name, found: [rows.values.count / rows.width, rows.width],
        expected: "[\(count), \(rows.width)], a row for each of 'actions'")
    }
    var result = Demonstrations(stateSize: stateSize, actionSize: actionSize)
    result.states = joined(observations, count: count)
    result.actions = actions
    result.lengths = try lengths(in: file, stepCount: count)
    if file.names.contains("rewards") {
      result.rewards = try tensors.column(
        file.storedTensor(named: "rewards"), named: "rewards", count: count)
    } else {
      result.notes.append("no 'rewards': returns are not known")
    }
    if file.names.contains("terminals") {
      let terminals = try tensors.column(
        file.storedTensor(named: "terminals"), named: "terminals", count: count)
      result.terminals = terminals.map { $0 != 0 }
    } else {
      result.terminals = [Bool](repeating: false, count: count)
    }
    if file.names.contains("images") {
      result.notes.append("'images' are not read: policies here see states")
    }
    return request.episodeLimit.map(result.prefix(episodes:)) ?? result
  }

  private static func lengths(in file: NPZFile, stepCount: Int) throws -> [Int] {
    let name = "traj_lengths"
    let lengths = try file.integers(named: name)
    guard !lengths.isEmpty, stepCount > 0 else {
      throw DemonstrationError.noEpisodes(
        path: file.path,
        reason: "'\(name)' has \(lengths.count) episodes, 'actions' has \(stepCount) rows")
    }
    if let index = lengths.firstIndex(where: { !(1...stepCount).contains($0) }) {
      throw DemonstrationError.inconsistent(
        path: file.path, tensor: name, found: "episode \(index) has \(lengths[index]) steps",
        expected: "1 to \(stepCount), the rows of 'actions'")
    }
    // Each is at most the count of rows, so the sum of as many as fit memory does not overflow.
    let sum = lengths.reduce(0, +)
    guard sum == stepCount else {
      throw DemonstrationError.inconsistent(
        path: file.path, tensor: name, found: "adds up to \(sum)",
        expected: "\(stepCount), the rows of 'actions'")
    }
    return lengths
  }

  /// Matrices side by side.
  static func joined(_ parts: [(values: [Float], width: Int)], count: Int) -> [Float] {
    if parts.count == 1 { return parts[0].values }
    var result: [Float] = []
    result.reserveCapacity(count * parts.reduce(0) { $0 + $1.width })
    for row in 0..<count {
      for (values, width) in parts { result += values[row * width..<(row + 1) * width] }
    }
    return result
  }
}

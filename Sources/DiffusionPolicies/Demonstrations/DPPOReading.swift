import Files

extension Demonstrations {
  /// Reads the npz that DPPO's scripts write.
  static func dppo(_ file: NPZFile, _ request: DemonstrationRequest) throws -> Demonstrations {
    let tensors = CheckedTensors(path: file.path)
    let keys = request.observations ?? ["states"]
    let observations = try keys.map { name in
      try tensors.rows(file.storedTensor(named: name), named: name)
    }
    let stateSize = observations.reduce(0) { $0 + $1.width }
    let (actions, actionSize) = try tensors.rows(
      file.storedTensor(named: request.actionKey), named: request.actionKey)
    let count = actions.count / actionSize
    for (name, rows) in zip(keys, observations) where rows.values.count != count * rows.width {
      throw DemonstrationError.shape(
        path: file.path, tensor: name, found: [rows.values.count / rows.width, rows.width],
        expected: "[\(count), \(rows.width)], a row for each of '\(request.actionKey)'")
    }
    func column(_ name: String) throws -> [Float]? {
      guard file.names.contains(name) else { return nil }
      return try tensors.column(file.storedTensor(named: name), named: name, count: count)
    }
    let rewards = try column("rewards")
    let terminals = try column("terminals")?.map { $0 != 0 }
    var result = Demonstrations(stateSize: stateSize, actionSize: actionSize)
    result.states = joined(observations, count: count)
    result.actions = actions
    let lengths = try lengths(in: file, stepCount: count)
    result.lengths = lengths.filter { $0 > 0 }
    result.rewards = rewards ?? []
    result.terminals = terminals ?? [Bool](repeating: false, count: count)
    result.images = try request.images.flatMap { name in
      try RecordedImages.channelsFirst(
        file.storedTensor(named: name), named: name, count: count, path: file.path)
    }
    let emptyCount = lengths.count - result.lengths.count
    let taken = Set(
      keys + request.images + [request.actionKey, "rewards", "terminals", lengthsKey])
    result.notes = [
      emptyCount > 0 ? "\(emptyCount.of("episode")) without steps: left out" : nil,
      rewards == nil ? "no 'rewards': returns are not known" : nil,
      ReadingNotes.squeezed(
        (keys + [request.actionKey]).compactMap { name in
          file.layout(of: name).map { (name, $0.shape) }
        }),
      ReadingNotes.notRead(
        "other array",
        (file.names + file.unreadable.keys).sorted().filter { !taken.contains($0) }),
    ].compactMap { $0 }
    // Of the whole file: the first few episodes of a normalized one need not touch both ends.
    result.looksNormalized = result.touchesUnitRange
    return request.episodeLimit.map(result.prefix(episodes:)) ?? result
  }

  private static let lengthsKey = "traj_lengths"

  private static func lengths(in file: NPZFile, stepCount: Int) throws -> [Int] {
    let name = lengthsKey
    let lengths = try file.integers(named: name)
    guard !lengths.isEmpty, stepCount > 0 else {
      throw DemonstrationError.noEpisodes(
        path: file.path,
        reason: "'\(name)' has \(lengths.count) episodes, 'actions' has \(stepCount) rows")
    }
    if let index = lengths.firstIndex(where: { !(0...stepCount).contains($0) }) {
      throw DemonstrationError.inconsistent(
        path: file.path, tensor: name, found: "episode \(index) has \(lengths[index]) steps",
        expected: "0 to \(stepCount), the rows of 'actions'")
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

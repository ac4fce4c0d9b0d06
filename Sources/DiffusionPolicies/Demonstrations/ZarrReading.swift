import Files

extension Demonstrations {
  private static let folder = "data/"
  private static let endsName = "meta/episode_ends"
  /// What Diffusion Policy calls low-dimensional observations, the first that a file has.
  private static let usualNames = ["state", "obs", "observations"]
  /// `[T, H, W, C]`
  private static let imageRank = 4

  /// Whether a zarr hierarchy may be a replay buffer.
  static func isReplayBuffer(_ file: ZarrFile) -> Bool {
    file.names.contains(endsName) && file.names.contains { $0.hasPrefix(folder) }
  }

  /// Reads a replay buffer of Diffusion Policy: `data/<key>`, one row a step, and `meta/episode_ends`.
  ///
  /// Arrays of any shape but images are taken as rows of numbers. No step is a terminal.
  static func zarr(_ file: ZarrFile, _ request: DemonstrationRequest) throws -> Demonstrations {
    guard isReplayBuffer(file) else {
      throw DemonstrationError.unknownFormat(path: file.path, names: file.names)
    }
    let tensors = CheckedTensors(path: file.path)
    let available = file.names.filter { $0.hasPrefix(folder) }
      .map { String($0.dropFirst(folder.count)) }
    let actionKey = request.actionKey(in: Set(available), usual: "action")
    let keys =
      try request.observations?.map(withoutFolder) ?? usualKeys(available, path: file.path)
    let ends = try file.integers(named: endsName)
    let reward = ["reward", "rewards"].first(where: available.contains)
    let count = try stepCount(
      ends, rowCount: file.layout(of: folder + actionKey)?.shape.first, in: file)
    let rowCount = file.layout(of: folder + actionKey)?.shape.first ?? count
    func rows(_ name: String) throws -> (values: [Float], width: Int) {
      if let shape = file.layout(of: folder + name)?.shape, shape.count >= imageRank {
        throw DemonstrationError.images(path: file.path, tensor: folder + name, shape: shape)
      }
      let (values, width) = try tensors.flatRows(
        file.storedTensor(named: folder + name), named: folder + name, count: rowCount)
      return (Array(values.prefix(count * width)), width)
    }
    let actions = try rows(actionKey)
    let observations = try keys.map(rows)
    var result = Demonstrations(
      stateSize: observations.reduce(0) { $0 + $1.width }, actionSize: actions.width)
    result.states = joined(observations, count: count)
    result.actions = actions.values
    if let reward {
      let name = folder + reward
      result.rewards = Array(
        try tensors.column(file.storedTensor(named: name), named: name, count: rowCount)
          .prefix(count))
    }
    result.terminals = [Bool](repeating: false, count: count)
    let cameras = request.images.map(withoutFolder)
    result.images = try cameras.map { camera in
      let name = folder + camera
      let images = try RecordedImages.channelsLast(
        RecordedImages.rounded(
          file.storedTensor(named: name), named: name, path: file.path),
        camera: camera, named: name, count: rowCount, path: file.path)
      return images.gather(Array(0..<count))
    }
    let lengths = zip(ends, [0] + ends).map { $0 - $1 }
    result.lengths = lengths.filter { $0 > 0 }
    let taken = Set(keys + cameras + [actionKey] + [reward].compactMap { $0 })
    let others = available.filter { !taken.contains($0) }
    func isImage(_ name: String) -> Bool {
      (file.layout(of: folder + name)?.shape.count ?? 0) >= imageRank
    }
    let emptyCount = lengths.count - result.lengths.count
    result.notes = [
      emptyCount > 0 ? "\(emptyCount.of("episode")) without steps: left out" : nil,
      rowCount > count
        ? "the last \((rowCount - count).of("step")) belong to no whole episode: left out" : nil,
      reward == nil ? "no 'reward': returns are not known" : nil,
      ReadingNotes.notRead(
        "array of images", others.filter(isImage), plural: "arrays of images",
        advice: "; demonstrations.images names those to read"),
      ReadingNotes.notRead(
        "other array", (others.filter { !isImage($0) } + file.unreadable.keys).sorted(),
        advice: "; demonstrations.observations names those to read"),
    ].compactMap { $0 }
    return request.episodeLimit.map(result.prefix(episodes:)) ?? result
  }

  private static func withoutFolder(_ name: String) -> String {
    name.hasPrefix(folder) ? String(name.dropFirst(folder.count)) : name
  }

  private static func usualKeys(_ available: [String], path: String) throws -> [String] {
    guard let key = usualNames.first(where: available.contains) else {
      throw DemonstrationError.noObservations(path: path, available: available)
    }
    return [key]
  }

  /// The steps of whole episodes.
  private static func stepCount(_ ends: [Int], rowCount: Int?, in file: ZarrFile) throws -> Int {
    guard let last = ends.last, last > 0 else {
      throw DemonstrationError.noEpisodes(
        path: file.path, reason: "'\(endsName)' has \(ends.count.of("end"))")
    }
    if let index = ends.indices.first(where: { ends[$0] < ($0 == 0 ? 0 : ends[$0 - 1]) }) {
      throw DemonstrationError.inconsistent(
        path: file.path, tensor: endsName, found: "end \(index) is \(ends[index])",
        expected: "ends that do not fall, counted from the start of the first episode")
    }
    if let rowCount, last > rowCount {
      throw DemonstrationError.inconsistent(
        path: file.path, tensor: endsName, found: "the last end is \(last)",
        expected: "at most \(rowCount), the rows of the actions")
    }
    return last
  }
}

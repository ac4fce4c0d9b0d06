import Files
import RobotData

extension Demonstrations {
  /// What LeRobot's policies see, as far as a data set has it.
  private static let usualFeatures = ["observation.state", "observation.environment_state"]
  private static let (reward, success, done) = ("next.reward", "next.success", "next.done")
  /// Attune's own, in Gymnasium's words.
  private static let terminated = "next.terminated"
  /// The columns that LeRobot adds to every data set, which are no part of what was recorded.
  private static let ownColumns: Set = [
    "timestamp", "frame_index", "episode_index", "index", "task_index",
  ]

  /// Reads a LeRobot data set; a step is a terminal where `next.terminated` is true, else
  /// `next.success`, else `next.done`: the first of them that there is.
  ///
  /// Features of any shape are taken as rows of numbers. Where there is no `next.reward`,
  /// `next.success` stands in for it.
  static func leRobot(
    _ dataset: LeRobotDataset, _ request: DemonstrationRequest
  ) throws -> Demonstrations {
    let names = Set(dataset.features.map(\.name))
    let actionKey = request.actionKey(in: names, usual: "action")
    let keys = try request.observations ?? usualKeys(of: dataset)
    for key in keys + [actionKey] { try requireNumbers(key, in: dataset) }
    let listed = dataset.episodes.filter { $0.length > 0 }
    let episodes = listed.prefix(request.episodeLimit ?? listed.count)
    guard !episodes.isEmpty else {
      throw DemonstrationError.noEpisodes(
        path: dataset.folder,
        reason: "the data set lists none; a recording that was stopped before LeRobot's finalize() "
          + "lacks them: record it again, or fetch the whole folder")
    }
    let outcomes = [reward, terminated, success, done].filter(names.contains)
    let tensors = CheckedTensors(path: dataset.folder)
    var result: Demonstrations?
    for episode in episodes {
      func rows(_ name: String) throws -> (values: [Float], width: Int) {
        try tensors.flatRows(
          dataset.storedTensor(of: name, in: episode), named: "\(name), episode \(episode.index)",
          count: episode.length)
      }
      let actions = try rows(actionKey)
      let observations = try keys.map(rows)
      let columns = Dictionary(
        uniqueKeysWithValues: try outcomes.map { name in
          (
            name,
            try tensors.column(
              dataset.storedTensor(of: name, in: episode),
              named: "\(name), episode \(episode.index)", count: episode.length)
          )
        })
      var part = Demonstrations(
        stateSize: observations.reduce(0) { $0 + $1.width }, actionSize: actions.width)
      part.states = joined(observations, count: episode.length)
      part.actions = actions.values
      part.rewards = columns[reward] ?? columns[success] ?? []
      part.terminals =
        (columns[terminated] ?? columns[success] ?? columns[done])?.map { $0 != 0 }
        ?? [Bool](repeating: false, count: episode.length)
      part.lengths = [episode.length]
      part.tasks = [episode.tasks.joined(separator: ", ")]
      part.images = try request.images.enumerated().map { index, name in
        let tensor = "\(name), episode \(episode.index)"
        let images = try RecordedImages.channelsLast(
          dataset.images(of: name, in: episode, size: request.imageSize), camera: name,
          named: tensor, count: episode.length, path: dataset.folder)
        try RecordedImages.requireSame(
          images, as: result?.images[index], named: tensor, path: dataset.folder)
        return images
      }
      if result == nil { result = part } else { result?.append(part) }
    }
    // There is an episode at least.
    guard var result else { return Demonstrations(stateSize: 1, actionSize: 1) }
    result.framesPerSecond = dataset.framesPerSecond
    result.notes = notes(
      on: dataset, keys: keys + request.images + [actionKey], outcomes: outcomes,
      emptyCount: dataset.episodes.count - listed.count)
    return result
  }

  private static func usualKeys(of dataset: LeRobotDataset) throws -> [String] {
    let available = dataset.features.filter {
      if case .numbers = $0.kind { return !ownColumns.contains($0.name) } else { return false }
    }.map(\.name)
    let keys = usualFeatures.filter(available.contains)
    guard !keys.isEmpty else {
      throw DemonstrationError.noObservations(path: dataset.folder, available: available)
    }
    return keys
  }

  private static func requireNumbers(_ name: String, in dataset: LeRobotDataset) throws {
    let feature = try dataset.feature(named: name)
    if feature.isImage {
      throw DemonstrationError.images(path: dataset.folder, tensor: name, shape: feature.shape)
    }
  }

  /// What a data set has beside what was read, and what it lacks.
  private static func notes(
    on dataset: LeRobotDataset, keys: [String], outcomes: [String], emptyCount: Int
  ) -> [String] {
    let taken = Set(keys + outcomes).union(ownColumns)
    let tasks = Set(dataset.episodes.flatMap(\.tasks))
    return [
      emptyCount > 0 ? "\(emptyCount.of("episode")) without steps: left out" : nil,
      outcomes.contains(reward)
        ? nil
        : outcomes.contains(success)
          ? "no 'next.reward': the reward of a step is its 'next.success'"
          : "no 'next.reward': returns are not known",
      ReadingNotes.notRead(
        "feature of images",
        dataset.features.filter { $0.isImage && !taken.contains($0.name) }.map(\.name),
        plural: "features of images", advice: "; demonstrations.images names those to read"),
      ReadingNotes.notRead(
        "other feature",
        dataset.features.filter { !$0.isImage && !taken.contains($0.name) }.map(\.name),
        advice: "; demonstrations.observations names those to read"),
      tasks.count > 1
        ? "episodes of \(tasks.count.of("task")) are learned alike: the policy does not see which"
        : nil,
    ].compactMap { $0 } + dataset.notes
  }
}

import Environments
import Files
import Foundation
import Media

/// What a Minari data set says of itself in `metadata.json`, beside its HDF5 file.
struct MinariMetadata {
  private let members: [String: JSONValue]
  private let path: String
  private let observationSpace: JSONValue?
  private let actionSpace: JSONValue?

  static let fileName = "metadata.json"
  static let dataName = "main_data.hdf5"

  /// The folder with the data of a data set: the one that is named or its `data`.
  static func folder(of path: String) -> String {
    FileManager.default.fileExists(atPath: "\(path)/data/\(fileName)") ? "\(path)/data" : path
  }

  /// Reads it; nil where there is none.
  init?(folder: String) throws {
    path = "\(folder)/\(Self.fileName)"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    guard case .object(let members) = try JSONValue(path: path) else {
      throw FileError(
        .malformed, path: path, problem: "is no object", advice: "fetch the data set again")
    }
    self.members = members
    func space(_ key: String, path: String) throws -> JSONValue? {
      guard case .string(let text)? = members[key] else { return nil }
      return try JSONValue(text: text, path: path, item: key)
    }
    observationSpace = try space("observation_space", path: path)
    actionSpace = try space("action_space", path: path)
    if case .string(let format)? = members["data_format"], format != "hdf5" {
      throw FileError(
        .unsupported, path: path, item: "data_format", problem: "is '\(format)', expected 'hdf5'",
        advice: "write the data set with data_format='hdf5', Minari's default")
    }
    if let kind = Self.choice(in: actionSpace) {
      throw DemonstrationError.inconsistent(
        path: path, tensor: "action_space", found: "is \(kind)",
        expected: "Box: policies give numbers and do not choose")
    }
  }

  /// The environment's name, if the data set was recorded in one that it can make again.
  func environment() throws -> String? {
    guard case .string(let text)? = members["env_spec"] else { return nil }
    guard case .object(let specification) = try JSONValue(text: text, path: path, item: "env_spec"),
      case .string(let name)? = specification["id"]
    else { return nil }
    return name
  }

  /// A space of numbered choices in a space; nil if there is none.
  private static func choice(in space: JSONValue?) -> String? {
    guard case .object(let members)? = space else { return nil }
    if case .string(let type)? = members["type"], type.contains("Discrete") || type == "MultiBinary"
    {
      return type
    }
    switch members["subspaces"] {
    case .object(let parts)?: return parts.values.lazy.compactMap(choice).first
    case .array(let parts)?: return parts.lazy.compactMap(choice).first
    default: return nil
    }
  }

  /// Whether an observation is images: bytes in two dimensions at least.
  func isImage(_ name: String) -> Bool {
    var space = observationSpace
    for part in name.split(separator: "/") {
      guard case .object(let members)? = space else { return false }
      switch members["subspaces"] {
      case .object(let parts)?: space = parts[String(part)]
      case .array(let parts)?:
        let index = MinariFile.number(part, after: MinariFile.tuplePrefix)
        space = index.flatMap { parts.indices.contains($0) ? parts[$0] : nil }
      default: return false
      }
    }
    guard case .object(let members)? = space, case .array(let shape)? = members["shape"] else {
      return false
    }
    return members["dtype"] == "uint8" && shape.count >= 2
  }
}

/// The listing of a Minari file: groups `episode_<n>`.
struct MinariFile {
  static let tuplePrefix = "_index_"
  private static let prefix = "episode_"

  let file: HDF5File
  /// By number: the name of the group, and datasets by their name inside it.
  let episodes: [(name: String, datasets: [String: HDF5Dataset])]

  /// Lists a file; it has no episodes if it is another one.
  init(_ file: HDF5File) {
    self.file = file
    var datasets: [Substring: [String: HDF5Dataset]] = [:]
    for dataset in file.datasets where dataset.name.hasPrefix(Self.prefix) {
      let parts = dataset.name.split(
        separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { datasets[parts[0], default: [:]][String(parts[1])] = dataset }
    }
    episodes = file.groups.compactMap { group in
      Self.number(group[...], after: Self.prefix).map { (number: $0, group: group) }
    }
    .sorted { $0.number < $1.number }
    .map { ($0.group, datasets[$0.group[...]] ?? [:]) }
  }

  /// The number in a name such as `episode_3`; nil if it is another name.
  static func number(_ name: Substring, after prefix: String) -> Int? {
    name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count)) : nil
  }

  /// The names of arrays in the order in which Gymnasium flattens spaces: of a dictionary by name, of
  /// a tuple by number.
  static func sorted(_ names: some Sequence<String>) -> [String] {
    names.map { name in (name: name, parts: name.split(separator: "/")) }
      .sorted { left, right in
        for (one, other) in zip(left.parts, right.parts) where one != other {
          if let first = number(one, after: tuplePrefix),
            let next = number(other, after: tuplePrefix)
          {
            return first < next
          }
          return one < other
        }
        return left.parts.count < right.parts.count
      }
      .map(\.name)
  }
}

extension Demonstrations {
  private static let (observations, rewards) = ("observations", "rewards")
  private static let (terminations, truncations) = ("terminations", "truncations")

  /// Reads a Minari data set; a step that is in `terminations` is a terminal.
  ///
  /// Observations that are dictionaries or tuples are joined in the order of `gymnasium.spaces.flatten`.
  /// The one after the last action of an episode is left out. Images are bytes, or JPEG files as Minari
  /// writes them by itself.
  static func minari(_ path: String, _ request: DemonstrationRequest) throws -> Demonstrations {
    let isFolder = DataFolder.isFolder(path)
    let folder =
      isFolder
      ? MinariMetadata.folder(of: path)
      : URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
    let metadata = try MinariMetadata(folder: folder)
    let file = try HDF5File(path: isFolder ? "\(folder)/\(MinariMetadata.dataName)" : path)
    let listing = MinariFile(file)
    func has(_ episode: [String: HDF5Dataset], _ name: String) -> Bool {
      episode.keys.contains { $0 == name || $0.hasPrefix("\(name)/") }
    }
    let recorded = listing.episodes.filter { _, datasets in
      has(datasets, request.actionKey)
        && datasets.allSatisfy { $0.key != request.actionKey || $0.value.shape.first != 0 }
    }
    let episodes = recorded.prefix(request.episodeLimit ?? recorded.count)
    guard let first = episodes.first else {
      throw DemonstrationError.noEpisodes(
        path: file.path,
        reason: listing.episodes.isEmpty
          ? "no groups 'episode_<n>'"
          : "none of \(listing.episodes.count.of("episode")) has steps in '\(request.actionKey)'")
    }
    let images = MinariFile.sorted(
      first.datasets.keys.filter { $0.hasPrefix("\(observations)/") || $0 == observations }
    ).filter { name in
      metadata?.isImage(String(name.dropFirst(observations.count + 1)))
        ?? ((first.datasets[name]?.shape.count ?? 0) > 3
          || first.datasets[name]?.hasByteArrays == true)
    }
    let cameras = try cameras(of: first.datasets, request, images: images, path: file.path)
    let keys = try observationKeys(of: first.datasets, request, images: images, path: file.path)
    let actionKeys = MinariFile.sorted(
      first.datasets.keys.filter {
        $0 == request.actionKey || $0.hasPrefix("\(request.actionKey)/")
      })
    let optional = [rewards, terminations].filter { first.datasets[$0] != nil }
    // Of images that are files, an episode has an array where all are of one length.
    func names(of datasets: [String: HDF5Dataset]) -> [String] {
      let arrays = cameras.filter { datasets[$0.dataset]?.hasByteArrays != true }
      return keys + actionKeys + optional + arrays.map(\.dataset)
    }
    // All at once: each call of the file starts a process.
    var stored = try file.storedTensors(
      named: episodes.flatMap { episode in
        names(of: episode.datasets).map { "\(episode.name)/\($0)" }
      })[...]
    let tensors = CheckedTensors(path: file.path)
    var result: Demonstrations?
    for episode in episodes {
      let names = names(of: episode.datasets)
      let own = Dictionary(uniqueKeysWithValues: zip(names, stored.prefix(names.count)))
      stored = stored.dropFirst(names.count)
      func rows(_ name: String, count: Int) throws -> (values: [Float], width: Int) {
        guard let tensor = own[name] else { return ([], 0) }
        return try tensors.flatRows(tensor, named: "\(episode.name)/\(name)", count: count)
      }
      func column(_ name: String, count: Int) throws -> [Float]? {
        try own[name].map {
          try tensors.column($0, named: "\(episode.name)/\(name)", count: count)
        }
      }
      let count = own[actionKeys[0]]?.shape.first ?? 0
      let actions = try actionKeys.map { try rows($0, count: count) }
      let seen = try keys.map { name in
        let (values, width) = try rows(name, count: count + 1)
        return (values: Array(values.prefix(count * width)), width: width)
      }
      var part = Demonstrations(
        stateSize: seen.reduce(0) { $0 + $1.width }, actionSize: actions.reduce(0) { $0 + $1.width }
      )
      part.states = joined(seen, count: count)
      part.actions = joined(actions, count: count)
      part.rewards = try column(rewards, count: count) ?? []
      part.terminals =
        try column(terminations, count: count)?.map { $0 != 0 }
        ?? [Bool](repeating: false, count: count)
      part.lengths = [count]
      part.images = try cameras.enumerated().map { index, camera in
        let tensor = "\(episode.name)/\(camera.dataset)"
        let images =
          try own[camera.dataset].map {
            try minariImages(
              of: $0, camera: camera.name, named: tensor, count: count, path: file.path)
          }
          ?? jpegImages(
            try file.byteArrays(of: tensor)[...], camera: camera.name, named: tensor, count: count,
            path: file.path)
        try RecordedImages.requireSame(
          images, as: result?.images[index], named: tensor, path: file.path)
        return images
      }
      if let result, result.stateSize != part.stateSize || result.actionSize != part.actionSize {
        throw DemonstrationError.inconsistent(
          path: file.path, tensor: episode.name,
          found: "\(part.stateSize) observations and \(part.actionSize) actions",
          expected: "\(result.stateSize) and \(result.actionSize) as in the first episode")
      }
      if result == nil { result = part } else { result?.append(part) }
    }
    // There is an episode at least.
    guard var result else { return Demonstrations(stateSize: 1, actionSize: 1) }
    result.recordedEnvironment = try metadata?.environment()
    let taken = Set(keys + actionKeys + optional + images + [truncations])
    let seen = cameras.map(\.dataset)
    let packed = cameras.filter { isJPEG(first.datasets[$0.dataset]) }
    let emptyCount = listing.episodes.count - recorded.count
    result.notes = [
      emptyCount > 0 ? "\(emptyCount.of("episode")) without steps: left out" : nil,
      "the observation after the last action of each episode is left out",
      first.datasets[rewards] == nil ? "no 'rewards': returns are not known" : nil,
      ReadingNotes.notRead(
        "observation of images", images.filter { !seen.contains($0) },
        plural: "observations of images", advice: "; demonstrations.images names those to read"),
      packed.isEmpty
        ? nil
        : "\(ReadingNotes.list(packed.map(\.name))): JPEG, which has lost some of what the environment "
          + "showed",
      ReadingNotes.notRead(
        "other tensor", first.datasets.keys.filter { !taken.contains($0) }.sorted()),
      metadata == nil
        ? "no \(MinariMetadata.fileName) beside it: images are told by their shape" : nil,
    ].compactMap { $0 }
    return result
  }

  /// The observations of images that were asked for: what somebody calls them, and the dataset inside
  /// the group of an episode.
  private static func cameras(
    of datasets: [String: HDF5Dataset], _ request: DemonstrationRequest, images: [String],
    path: String
  ) throws -> [(name: String, dataset: String)] {
    try request.images.map { name in
      let whole =
        name == observations || name.hasPrefix("\(observations)/")
        ? name : "\(observations)/\(name)"
      guard images.contains(whole) else {
        let available = images.map { String($0.dropFirst(observations.count + 1)) }
          .map { $0.isEmpty ? observations : $0 }
        throw FileError(
          .missing, path: path, item: name,
          problem: datasets[whole] == nil
            ? "is no observation of the data set" : "is an observation of numbers",
          advice: available.isEmpty
            ? "the data set has no images"
            : "demonstrations.images can name \(ReadingNotes.list(available))")
      }
      return (name, whole)
    }
  }

  /// Whether images lie as files in a dataset: of any length, or of the same.
  private static func isJPEG(_ dataset: HDF5Dataset?) -> Bool {
    dataset?.hasByteArrays == true || dataset?.shape.count == 2
  }

  /// Images before each of `count` steps, of an episode's tensor.
  private static func minariImages(
    of stored: StoredTensor, camera: String, named tensor: String, count: Int, path: String
  ) throws -> CameraImages {
    let shape = stored.shape
    guard stored.elementType == .uint8, shape.first == count + 1, shape.allSatisfy({ $0 > 0 })
    else {
      throw DemonstrationError.shape(
        path: path, tensor: tensor, found: shape,
        expected: "uint8 [\(count + 1), height, width, channels], one image more than actions, not "
          + stored.elementType.rawValue)
    }
    if shape.count == 2 {
      let files = stored.withUnsafeBytes { bytes in
        (0..<shape[0]).map { Array(bytes[$0 * shape[1]..<($0 + 1) * shape[1]]) }
      }
      return try jpegImages(files[...], camera: camera, named: tensor, count: count, path: path)
    }
    // Grey images have no dimension of channels.
    let whole = shape.count == 3 ? stored.reshaped(shape + [1]) : stored
    return try RecordedImages.channelsLast(
      whole, camera: camera, named: tensor, count: count + 1, path: path
    ).gather(Array(0..<count))
  }

  private static func jpegImages(
    _ files: ArraySlice<[UInt8]>, camera name: String, named tensor: String, count: Int,
    path: String
  ) throws -> CameraImages {
    guard files.count == count + 1 else {
      throw DemonstrationError.shape(
        path: path, tensor: tensor, found: [files.count],
        expected: "[\(count + 1)] images, one more than actions")
    }
    let frames = try files.prefix(count).enumerated().map { step, file in
      do throws(ImageFileError) {
        return try Image(jpegBytes: file, name: "image \(step)")
      } catch {
        throw FileError(
          .malformed, path: path, item: tensor, problem: "\(error)",
          advice: "write the data set with jpeg_encoding=False")
      }
    }
    let first = frames[0]
    guard frames.allSatisfy({ $0.hasSize(of: first) }) else {
      throw FileError(
        .malformed, path: path, item: tensor, problem: "has images of several sizes",
        advice: "record the environment at one size")
    }
    return CameraImages(
      Camera(
        name: name, width: first.width, height: first.height, channelCount: first.channelCount),
      stepCount: 1, frames: frames)
  }

  /// The datasets that make an observation, inside the group of an episode.
  private static func observationKeys(
    of datasets: [String: HDF5Dataset], _ request: DemonstrationRequest, images: [String],
    path: String
  ) throws -> [String] {
    let prefix = "\(observations)/"
    let available = MinariFile.sorted(
      datasets.keys.filter { $0 == observations || $0.hasPrefix(prefix) })
    func short(_ name: String) -> String {
      name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name
    }
    guard let wanted = request.observations else {
      let keys = available.filter { !images.contains($0) && datasets[$0]?.problem == nil }
      guard !keys.isEmpty else {
        guard images.isEmpty || available != images else {
          throw DemonstrationError.imagesOnly(path: path, images: images.map(short))
        }
        throw DemonstrationError.noObservations(path: path, available: available.map(short))
      }
      return keys
    }
    return try wanted.flatMap { name -> [String] in
      let whole = name == observations || name.hasPrefix(prefix) ? name : prefix + name
      // A dictionary inside the dictionary is all that is in it.
      let keys = available.filter { $0 == whole || $0.hasPrefix("\(whole)/") }
      if let image = keys.first(where: images.contains) {
        throw DemonstrationError.images(
          path: path, tensor: image, shape: datasets[image]?.shape ?? [])
      }
      guard !keys.isEmpty else {
        throw FileError(
          .missing, path: path, item: name, problem: "is no observation of the data set",
          advice: "it has \(ReadingNotes.list(available.map(short)))")
      }
      return keys
    }
  }
}

extension Image {
  fileprivate func hasSize(of other: Image) -> Bool {
    (width, height, channelCount) == (other.width, other.height, other.channelCount)
  }
}

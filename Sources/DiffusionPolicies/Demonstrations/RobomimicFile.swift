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
    /// Whether somebody marked it as a failure, as Isaac Lab does; nil if nobody judged it.
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
    guard let text = file.attributes(of: "data")["env_args"]?.text else { return nil }
    do {
      return try JSONDecoder().decode(Arguments.self, from: Data(text.utf8)).env_name
    } catch {
      return nil  // A remark of the file's writer, on which nothing depends.
    }
  }
}

import Files

/// A dictionary of weights in a checkpoint, wherever it lies, by the reference's names.
struct StateDictionary: Sendable {
  /// The keys that lead to it, joined by slashes; empty where the checkpoint is one itself.
  let key: String
  /// Names in the file by names as the reference writes them.
  let names: [String: String]

  /// What lies around a network: `DataParallel` and averaged models, `torch.compile`.
  private static let wrappers: Set<Substring> = ["module", "_orig_mod"]
  /// What the reference's networks begin with, where one was saved by itself.
  private static let ownNames: Set<Substring> = [
    "time_embedding", "time_mlp", "mlp_mean", "mlp_base", "mlp_logvar", "mlp_weights", "cond_mlp",
    "down_modules", "mid_modules", "up_modules", "final_conv", "logvar", "logvar_min", "logvar_max",
    "backbone", "compress", "compress1", "compress2",
  ]
  private static let partNames = Set(
    ReferenceCheckpoint.Part.allCases.flatMap(\.prefixes).map { $0.dropLast() })

  /// Whether it has a network that the reference writes.
  var hasNetworks: Bool { names.keys.contains { Self.partNames.contains(Self.first(of: $0)) } }

  /// Whether its key says that it is a moving average.
  var isEMA: Bool {
    key.lowercased().split(separator: "/").contains {
      $0 == "ema" || $0.hasPrefix("ema_") || $0.hasSuffix("_ema")
    }
  }

  /// The key as text for people.
  var title: String { key.isEmpty ? "the checkpoint itself" : "'\(key)'" }

  /// All dictionaries of tensors in a file, by key.
  ///
  /// - Throws: `ReferenceCheckpointError` if two names are the same without what lies around them.
  static func all(in file: PyTorchFile) throws(ReferenceCheckpointError) -> [StateDictionary] {
    var namesByKey: [String: [String]] = [:]
    for name in file.names {
      let end = name.lastIndex(of: "/")
      let key = end.map { String(name[..<$0]) } ?? ""
      namesByKey[key, default: []].append(name)
    }
    var dictionaries: [StateDictionary] = []
    for (key, names) in namesByKey.sorted(by: { $0.key < $1.key }) {
      dictionaries.append(try StateDictionary(key: key, fileNames: names, path: file.path))
    }
    return dictionaries
  }

  private init(
    key: String, fileNames: [String], path: String
  ) throws(ReferenceCheckpointError) {
    self.key = key
    let bare = fileNames.map { name in
      (key.isEmpty ? Substring(name) : name.dropFirst(key.count + 1))
        .split(separator: ".", omittingEmptySubsequences: false)
        .filter { !Self.wrappers.contains($0) }
    }
    var names: [String: String] = [:]
    for (parts, fileName) in zip(Self.withPartNames(bare), fileNames) {
      let name = parts.joined(separator: ".")
      if let other = names.updateValue(fileName, forKey: name) {
        throw ReferenceCheckpointError(path: path, .duplicate(name, [other, fileName].sorted()))
      }
    }
    self.names = names
  }

  /// The names as they are inside the reference's model: without what a trainer's class puts in
  /// front of all of them, and with `network` before those of a network that was saved by itself.
  private static func withPartNames(_ names: [[Substring]]) -> [[Substring]] {
    var names = names
    while let outer = names.first?.first, names.allSatisfy({ $0.count > 1 && $0[0] == outer }),
      !partNames.contains(outer), !ownNames.contains(outer)
    {
      names = names.map { Array($0.dropFirst()) }
    }
    let firsts = Set(names.compactMap(\.first))
    guard firsts.isDisjoint(with: partNames), !firsts.isDisjoint(with: ownNames) else {
      return names
    }
    return names.map { ["network"] + $0 }
  }

  private static func first(of name: String) -> Substring { name.prefix { $0 != "." } }

  /// How many tensors there are by the first part of their names, of those that a condition holds
  /// for, as in `critic (6 tensors)`.
  func counts(where isCounted: (String) -> Bool) -> [String] {
    Dictionary(grouping: names.keys.filter(isCounted), by: Self.first(of:))
      .sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value.count.of("tensor")))" }
  }
}

/// Another name of a setting, that of a program whose users know it; files and overrides may use
/// it.
public struct SettingAlias: Sendable, Equatable {
  /// Where the other program has it, keys joined by dots.
  public let name: String
  /// The setting, keys joined by dots.
  public let setting: String
  /// Whether the setting is an entry of a dictionary, whose keys are the user's own: another name
  /// cannot stand beside it.
  public let isEntry: Bool

  /// Another name of a setting.
  public init(_ name: String, for setting: String, isEntry: Bool = false) {
    self.name = name
    self.setting = setting
    self.isEntry = isEntry
  }

  var parts: [String] { name.split(separator: ".").map(String.init) }
  var target: [String] { setting.split(separator: ".").map(String.init) }
}

/// Where aliases may stand, and what is there for a setting.
///
/// A name may stand where the other program has it, and beside the setting or in any mapping around
/// it. What two settings are called is told apart by the keys before it, as in
/// `actor_lr_scheduler.min_lr`, or by standing beside one of them.
package struct SettingAliases: Sendable {
  private let aliases: [SettingAlias]

  package init(_ aliases: [SettingAlias]) { self.aliases = aliases }

  /// Every place of an alias, as keys.
  package func places(of alias: SettingAlias) -> [[String]] {
    let (parts, target) = (alias.parts, alias.target)
    var places: [[String]] = []
    for count in 1...parts.count {
      let suffix = Array(parts.suffix(count))
      let isClear = aliases.allSatisfy {
        $0.setting == alias.setting || Array($0.parts.suffix(count)) != suffix
      }
      let inmost = target.count - (alias.isEntry ? 2 : 1)
      let outer = isClear ? Array(0...inmost) : [inmost]
      places += outer.map { Array(target.prefix($0)) + suffix }
    }
    return places.filter { $0 != target }
  }

  /// The alias that stands at a place.
  func alias(at place: [String]) -> SettingAlias? {
    aliases.first { places(of: $0).contains(place) }
  }

  /// A setting that is called so by the last key of another program's name.
  func setting(called name: String) -> String? {
    aliases.first { $0.parts.last == name }?.setting
  }

  /// The names that may stand in a mapping as single keys.
  func names(in mapping: [String]) -> [String] {
    aliases.flatMap { alias in
      places(of: alias).filter { $0.dropLast() == mapping[...] }.compactMap(\.last)
    }
  }

  /// Whether a key at the root holds another program's settings.
  func isOuter(_ key: String) -> Bool {
    aliases.contains { $0.parts.count > 1 && $0.parts[0] == key }
  }

  /// Moves what stands under other names to the settings.
  ///
  /// - Throws: `ConfigurationError` if a setting is given under two names.
  func resolve(_ node: inout ConfigurationNode) throws(ConfigurationError) {
    for alias in aliases {
      for place in places(of: alias) {
        guard let entry = node.take(place[...]) else { continue }
        if node.entry(at: alias.target[...]) != nil {
          throw Self.conflict(place.joined(separator: "."), alias, at: entry.place)
        }
        if let blocked = node.set(alias.target[...], to: entry.value) {
          throw ConfigurationError(
            .badValue, place: entry.place, key: blocked.joined(separator: "."),
            problem: "is a single value or a list, but '\(place.joined(separator: "."))' is in it",
            advice: "write a mapping of keys")
        }
      }
    }
  }

  /// The error of a setting that is given under two names.
  static func conflict(
    _ name: String, _ alias: SettingAlias, at place: ConfigurationError.Place
  ) -> ConfigurationError {
    ConfigurationError(
      .badValue, place: place, key: name,
      problem: "is another name of '\(alias.setting)', which is given too", advice: "remove one")
  }
}

extension ConfigurationNode {
  /// The entry that a path of keys leads to; nil if there is none.
  func entry(at path: ArraySlice<String>) -> Entry? {
    guard let key = path.first, let entry = entries?.first(where: { $0.key == key }) else {
      return nil
    }
    return path.count == 1 ? entry : entry.value.entry(at: path.dropFirst())
  }

  /// Removes the entry that a path of keys leads to, with the mappings around it that are empty
  /// without it.
  fileprivate mutating func take(_ path: ArraySlice<String>) -> Entry? {
    guard let key = path.first, var entries,
      let index = entries.firstIndex(where: { $0.key == key })
    else { return nil }
    let taken: Entry
    if path.count == 1 {
      taken = entries.remove(at: index)
    } else {
      guard let inner = entries[index].value.take(path.dropFirst()) else { return nil }
      taken = inner
      if entries[index].value.entries?.isEmpty == true { entries.remove(at: index) }
    }
    content = .mapping(entries)
    return taken
  }
}

extension ConfigurationNode.Entry {
  /// The keys that lead to the first value inside, this one's own among them, and its place.
  var firstLeaf: (path: [String], place: ConfigurationError.Place) {
    guard let inner = value.entries?.first?.firstLeaf else { return ([key], place) }
    return ([key] + inner.path, inner.place)
  }
}

/// Overrides under the names of settings.
struct OverrideNames {
  private let aliases: SettingAliases
  /// The name that each setting was given under, by its path.
  private var given: [[String]: [String]] = [:]

  init(_ aliases: SettingAliases) { self.aliases = aliases }

  /// The setting that a path of an override means.
  ///
  /// - Throws: `ConfigurationError` if another override gives the setting under another name.
  mutating func setting(
    _ path: [String], place: ConfigurationError.Place
  ) throws(ConfigurationError) -> [String] {
    let alias = aliases.alias(at: path)
    let target = alias?.target ?? path
    if let before = given[target], before != path {
      let name = (alias == nil ? before : path).joined(separator: ".")
      throw SettingAliases.conflict(
        name, SettingAlias(name, for: target.joined(separator: ".")), at: place)
    }
    given[target] = path
    return target
  }
}

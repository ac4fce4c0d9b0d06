/// The settings of something: a `Codable` struct with a default for everything.
///
/// A file overlays the defaults key by key, overrides overlay the file, and the result is decoded;
/// nested settings, also optional ones or those in a list, are completed by their own defaults.
/// Lists and dictionaries are replaced as a whole by a file; an override may set one key of a
/// dictionary. Enumerations of texts should be `CaseIterable`, so that errors can list the choices.
///
/// ```swift
/// struct Training: Settings {
///   /// Examples in a batch.
///   @Setting(1...65_536) var batchSize = 32
///   /// Of AdamW.
///   @Setting(.positive) var learningRate = 1e-3
/// }
/// let training = try Training.decode(yaml: "batchSize: 64", overrides: ["learningRate=3e-4"])
/// ```
public protocol Settings: Codable, Sendable, Hashable {
  /// The defaults.
  init()

  /// Other names that a file or an override may use; those of inner settings do not count.
  static var aliases: [SettingAlias] { get }

  /// Checks what settings must be to one another; the range of each stands beside it (`Setting`).
  ///
  /// - Throws: `ConfigurationError.badValue(key:found:expected:)`.
  func checkRelations() throws
}

extension Settings {
  /// None.
  public static var aliases: [SettingAlias] { [] }

  /// Every combination of values in their ranges is accepted.
  public func checkRelations() throws {}

  /// Checks the ranges of all settings, those of inner settings included, and their relations.
  ///
  /// - Throws: `ConfigurationError` naming the first that cannot be used.
  public func validate() throws {
    // A decoded value knows no range: the type declares it.
    let declared = Mirror(reflecting: Self()).children
    for (member, declaration) in zip(Mirror(reflecting: self).children, declared) {
      let key = Self.key(of: member)
      try Self.validate(member.value, at: key)
      if let setting = declaration.value as? any DeclaredSetting {
        try setting.check(member.value, at: key)
      }
    }
    try checkRelations()
  }

  /// Checks a member that is settings, may be, or lists them.
  private static func validate(_ member: Any, at key: String) throws {
    let value = (member as? any DeclaredSetting)?.anyValue ?? member
    if let inner = value as? any Settings {
      try ConfigurationError.within(key) { try inner.validate() }
    } else if let list = value as? [any Settings] {
      for (index, inner) in list.enumerated() {
        try ConfigurationError.within("\(key).\(index)") { try inner.validate() }
      }
    }
  }

  /// The name of a property, whose storage begins with an underscore where it has a wrapper.
  private static func key(of member: Mirror.Child) -> String {
    let label = member.label ?? ""
    return label.hasPrefix("_") ? String(label.dropFirst()) : label
  }

  /// Decodes settings from a text; `file` is how errors call it.
  ///
  /// - Parameters:
  ///   - yaml: what is otherwise than in `defaults`.
  ///   - file: the name of the text.
  ///   - overrides: `key.path=value` each, the value in YAML.
  ///   - defaults: what holds where neither text nor override says otherwise.
  ///   - randomSeed: draws what the setting `seed` becomes where it is -1; if nil, -1 is refused
  ///     where the type does not take it.
  /// - Throws: `ConfigurationError` if an unknown key, a value of a wrong type or out of range, or a
  ///   damaged text is found.
  public static func decode(
    yaml: String, file: String? = nil, overrides: [String] = [], defaults: Self = Self(),
    randomSeed: (() -> UInt64)? = nil
  ) throws -> Self {
    try naming(file) {
      try decode(
        ConfigurationNode(yaml: yaml, file: file), overrides: overrides, defaults: defaults,
        randomSeed: randomSeed)
    }
  }

  /// Decodes settings from texts by key, as other settings keep them; `source` is how errors call
  /// them.
  ///
  /// - Throws: `ConfigurationError` as for `decode(yaml:file:overrides:defaults:)`.
  public static func decode(
    _ values: [String: String], source: String, defaults: Self = Self()
  ) throws -> Self {
    try naming(source) {
      try decode(ConfigurationNode(texts: values), overrides: [], defaults: defaults)
    }
  }

  private static func decode(
    _ node: ConfigurationNode, overrides: [String], defaults: Self,
    randomSeed: (() -> UInt64)? = nil
  ) throws -> Self {
    guard node.entries != nil else {
      throw ConfigurationDecoder.mismatch(node, expected: "a mapping of keys", at: [])
    }
    let base = try ConfigurationEncoder.node(of: defaults)
    let aliases = SettingAliases(Self.aliases)
    var written = node
    try aliases.resolve(&written)
    var node = base.overlaid(by: written)
    var names = OverrideNames(aliases)
    for override in overrides { try node.apply(override, &names) }
    if let randomSeed, case .scalar("-1", isQuoted: false)? = node["seed"]?.content {
      let seed = ConfigurationNode(content: .scalar("\(randomSeed())", isQuoted: false))
      _ = node.set(["seed"], to: seed)
    }
    let record = ConfigurationDecoder.Record()
    let value = try ConfigurationDecoder.value(Self.self, from: node, at: [], record: record)
    try record.throwUnknownKey(known: base.keyPaths(), aliases: aliases)
    do {
      try value.validate()
    } catch var error as ConfigurationError {
      let keys = error.key.split(separator: ".").map(String.init)
      error.place = node.place(of: keys[...])
      throw error
    }
    return value
  }

  /// Adds to an error where the settings were read, unless an override is to blame.
  private static func naming<Result>(
    _ source: String?, _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch var error as ConfigurationError {
      if case .override = error.place {} else { error.file = source }
      throw error
    }
  }

  /// The settings as YAML, every key written out; it decodes to the same value.
  ///
  /// - Throws: `EncodingError` if an own `encode(to:)` refuses.
  public func yaml() throws -> String {
    try ConfigurationEncoder.node(of: self).yaml()
  }

  /// The settings by key as texts, which `decode(_:source:defaults:)` reads; whole numbers as such.
  ///
  /// - Throws: `EncodingError` if an own `encode(to:)` refuses.
  public func texts() throws -> [String: String] {
    let pairs = try SettingDescription.all(of: self).map { setting in
      // An empty text is one, and no pair of quotes as in a line of YAML.
      let text = setting.isEmptyText ? "" : setting.defaultText
      return (setting.key, text.hasSuffix(".0") ? String(text.dropLast(2)) : text)
    }
    return Dictionary(pairs) { first, _ in first }
  }
}

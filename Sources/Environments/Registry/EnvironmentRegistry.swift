import Files

/// Environments by name.
public struct EnvironmentRegistry: Sendable {
  /// An environment that can be made.
  public struct Entry: Sendable {
    /// What it is called, such as `hopper`.
    public var name: String
    /// One line for `environment list`.
    public var summary: String
    /// What it understands, `timeLimit` first.
    public var parameters: [EnvironmentParameterDescription]
    /// Makes the bare task.
    var make: @Sendable (EnvironmentParameters) throws -> any Environment

    /// Describes an environment; every one also understands `timeLimit`.
    public init(
      name: String, summary: String, timeLimit: Int,
      parameters: [EnvironmentParameterDescription] = [],
      make: @escaping @Sendable (EnvironmentParameters) throws -> any Environment
    ) {
      self.name = name
      self.summary = summary
      self.parameters =
        [
          EnvironmentParameterDescription(
            "timeLimit", default: .number(Double(timeLimit)), "steps until an episode is truncated")
        ] + parameters
      self.make = make
    }
  }

  /// The environments in the order in which they were registered.
  public private(set) var entries: [Entry] = []

  /// An empty registry.
  public init() {}

  /// Adds an environment, in place of one of the same name.
  public mutating func register(_ entry: Entry) {
    entries.removeAll { $0.name == entry.name }
    entries.append(entry)
  }

  /// Makes an environment with its time limit, its statistics and a guard against broken numbers.
  ///
  /// From the inside: the task, `FiniteGuard`, `TimeLimit`, `EpisodeRecorder`. `layer(_:)` finds
  /// each.
  ///
  /// - Throws: `EnvironmentError` that names the unknown or bad part and what was expected.
  public func make(
    _ name: String, _ parameters: [String: EnvironmentParameter] = [:]
  ) throws -> any Environment {
    let entry = try entry(name)
    let checked = try EnvironmentParameters(parameters, for: name, described: entry.parameters)
    let limit = try checked.count("timeLimit")
    return EpisodeRecorder(TimeLimit(FiniteGuard(try entry.make(checked)), stepLimit: limit))
  }

  /// All parameters of an environment as text, those that are not given by their defaults.
  ///
  /// - Throws: `EnvironmentError` that names the unknown or bad part and what was expected.
  public func parameters(
    of name: String, given parameters: [String: EnvironmentParameter] = [:]
  ) throws -> [String: String] {
    let entry = try entry(name)
    return try EnvironmentParameters(parameters, for: name, described: entry.parameters).texts
  }

  private func entry(_ name: String) throws -> Entry {
    guard let entry = entries.first(where: { $0.name == name }) else {
      let known = entries.map(\.name)
      throw EnvironmentError.unknownEnvironment(
        name: name, nearest: name.nearest(among: known), known: known)
    }
    return entry
  }

  /// The environments that come with Attune.
  public static let standard: EnvironmentRegistry = {
    var registry = EnvironmentRegistry()
    registry.register(.hopper)
    registry.register(.walker2D)
    registry.register(.halfCheetah)
    registry.register(.pushT)
    return registry
  }()
}

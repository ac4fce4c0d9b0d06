import Configuration
import Files
import Synchronization

/// Environments by name.
public struct EnvironmentRegistry: Sendable {
  /// Who steps environments that are made together.
  public enum Stepping: Sendable {
    /// One `LocalVectorEnvironment` of all of them.
    case byOneVector
    /// Whoever has one: each by itself.
    case byThemselves
  }

  /// An environment that can be made.
  public struct Entry: Sendable {
    /// What it is called, such as `hopper`.
    public var name: String
    /// One line for `environment list`.
    public var summary: String
    /// What it understands, `timeLimit` first, with the defaults.
    public var parameters: [SettingDescription]
    /// Makes the bare task, and tells its time limit.
    var make: @Sendable ([String: String]) throws -> (task: any Environment, timeLimit: Int?)
    /// Makes several bare tasks, with their time limit.
    var makeSeveral:
      @Sendable ([String: String], Int, Stepping) throws -> (
        tasks: [any Environment], timeLimit: Int?
      )
    /// All parameters as text, those that are not given by their defaults.
    var complete: @Sendable ([String: String]) throws -> [String: String]

    /// Describes an environment with parameters of its own.
    ///
    /// - Parameters:
    ///   - name: what it is called.
    ///   - summary: one line for `environment list`.
    ///   - defaults: its parameters where none are given.
    ///   - make: makes the bare task, without its time limit.
    ///   - makeSeveral: makes as many bare tasks at once, which may be rows of a batch where one
    ///     vector steps them; nil from it, or without it, they are made one by one.
    ///   - timeLimit: the limit of a task that was made, nil for none; that of its parameters
    ///     unless told otherwise.
    public init<Parameters: EnvironmentParameters>(
      name: String, summary: String, parameters defaults: Parameters,
      make: @escaping @Sendable (Parameters) throws -> any Environment,
      makeSeveral:
        @escaping @Sendable (Parameters, Int, Stepping) throws -> [any Environment]? = { _, _, _ in
          nil
        },
      timeLimit: @escaping @Sendable (Parameters, any Environment) -> Int? = { parameters, _ in
        parameters.timeLimit
      }
    ) {
      self.name = name
      self.summary = summary
      do {
        parameters = try SettingDescription.all(of: defaults)
      } catch {
        preconditionFailure("the defaults of environment '\(name)' cannot be encoded: \(error)")
      }
      let decode: @Sendable ([String: String]) throws -> Parameters = { given in
        try Parameters.decode(given, source: "environment \(name)", defaults: defaults)
      }
      self.make = { given in
        let parameters = try decode(given)
        let task = try make(parameters)
        return (task, timeLimit(parameters, task))
      }
      self.makeSeveral = { given, count, stepping in
        let parameters = try decode(given)
        let tasks =
          try makeSeveral(parameters, count, stepping)
          ?? (0..<count).map { _ in try make(parameters) }
        return (tasks, tasks.first.flatMap { timeLimit(parameters, $0) })
      }
      complete = { try decode($0).texts() }
    }

    /// Describes an environment whose only parameter is its time limit.
    public init(
      name: String, summary: String, timeLimit: Int,
      make: @escaping @Sendable (PlainParameters) throws -> any Environment
    ) {
      var parameters = PlainParameters()
      parameters.timeLimit = timeLimit
      self.init(name: name, summary: summary, parameters: parameters, make: make)
    }
  }

  /// Finds environments by names with a prefix, such as `gymnasium:Ant-v5`.
  public struct Resolver: Sendable {
    /// What stands before the colon, such as `gymnasium`.
    public var prefix: String
    /// One line for `environment list`.
    public var summary: String
    /// Whether its environments are programs of this machine, so that a name in somebody's file must
    /// not be enough to start one.
    public var runsPrograms: Bool
    /// Describes the environment of a name, given without its prefix.
    var resolve: @Sendable (String) throws -> Entry

    /// Describes where environments are found.
    ///
    /// - Parameters:
    ///   - prefix: what stands before the colon.
    ///   - summary: one line for `environment list`.
    ///   - runsPrograms: whether its environments are programs of this machine.
    ///   - resolve: gives the environment whose name without the prefix it is given, or throws
    ///     `EnvironmentError.unknownEnvironment`.
    public init(
      prefix: String, summary: String, runsPrograms: Bool = false,
      resolve: @escaping @Sendable (String) throws -> Entry
    ) {
      precondition(
        !prefix.isEmpty && !prefix.contains(":"), "'\(prefix)' cannot be a prefix of names")
      self.prefix = prefix
      self.summary = summary
      self.runsPrograms = runsPrograms
      self.resolve = resolve
    }
  }

  /// The environments in the order in which they were registered.
  public private(set) var entries: [Entry] = []
  /// The prefixes by which more are found, in the order in which they were registered.
  public private(set) var resolvers: [Resolver] = []

  /// An empty registry.
  public init() {}

  /// Adds an environment, in place of one of the same name.
  public mutating func register(_ entry: Entry) {
    entries.removeAll { $0.name == entry.name }
    entries.append(entry)
  }

  /// Adds a place where environments are found, instead of one of the same prefix.
  public mutating func register(_ resolver: Resolver) {
    resolvers.removeAll { $0.prefix == resolver.prefix }
    resolvers.append(resolver)
  }

  /// Whether a name is that of an entry, or has a known prefix.
  public func knows(_ name: String) -> Bool {
    entries.contains { $0.name == name } || resolver(of: name) != nil
  }

  /// Whether an environment is a program of this machine.
  public func runsPrograms(_ name: String) -> Bool {
    !entries.contains { $0.name == name } && resolver(of: name)?.0.runsPrograms ?? false
  }

  /// Makes an environment with its time limit, its statistics and a guard against broken numbers.
  ///
  /// From the inside: the task, `FiniteGuard`, `TimeLimit`, `EpisodeRecorder`. `layer(_:)` finds
  /// each.
  ///
  /// - Throws: `EnvironmentError` if there is no such environment, `ConfigurationError` that names
  ///   the unknown or bad parameter and what was expected.
  public func make(
    _ name: String, _ parameters: [String: String] = [:]
  ) throws -> any Environment {
    let (task, limit) = try entry(name).make(parameters)
    return Self.wrapped(task, timeLimit: limit)
  }

  /// Makes several environments at once, each with what `make(_:_:)` puts around it.
  ///
  /// Where one vector steps them, they may be rows of a batch that is stepped as a whole: only a
  /// `LocalVectorEnvironment` of all of them may step them then.
  ///
  /// - Throws: as `make(_:_:)`.
  public func make(
    _ name: String, _ parameters: [String: String] = [:], count: Int,
    stepping: Stepping = .byOneVector
  ) throws -> [any Environment] {
    let (tasks, limit) = try entry(name).makeSeveral(parameters, count, stepping)
    return tasks.map { Self.wrapped($0, timeLimit: limit) }
  }

  private static func wrapped(_ task: any Environment, timeLimit: Int?) -> any Environment {
    let guarded = FiniteGuard(task)
    return EpisodeRecorder(timeLimit.map { TimeLimit(guarded, stepLimit: $0) } ?? guarded)
  }

  /// All parameters of an environment as text, those that are not given by their defaults.
  ///
  /// - Throws: as `make(_:_:)`.
  public func parameters(
    of name: String, given parameters: [String: String] = [:]
  ) throws -> [String: String] {
    try entry(name).complete(parameters)
  }

  /// The environment of a name.
  ///
  /// - Throws: `EnvironmentError` if there is none, and what a resolver throws.
  private func entry(_ name: String) throws -> Entry {
    if let entry = entries.first(where: { $0.name == name }) { return entry }
    if let (resolver, rest) = resolver(of: name) { return try resolver.resolve(rest) }
    if let colon = name.firstIndex(of: ":") {
      let (prefix, known) = (String(name[..<colon]), resolvers.map(\.prefix))
      throw EnvironmentError.unknownPrefix(
        name: name, prefix: prefix, nearest: prefix.nearest(among: known), known: known)
    }
    let known = entries.map(\.name)
    throw EnvironmentError.unknownEnvironment(
      name: name, nearest: name.nearest(among: known),
      known: known + resolvers.map { "\($0.prefix):..." })
  }

  private func resolver(of name: String) -> (Resolver, rest: String)? {
    guard let colon = name.firstIndex(of: ":"),
      let resolver = resolvers.first(where: { $0.prefix == name[..<colon] })
    else { return nil }
    return (resolver, String(name[name.index(after: colon)...]))
  }

  /// The environments that come with Attune, and those that `registerStandard` added.
  public static var standard: EnvironmentRegistry { shared.withLock { $0 } }

  /// Adds a place where environments are found to the standard ones, for this whole program.
  public static func registerStandard(_ resolver: Resolver) {
    shared.withLock { $0.register(resolver) }
  }

  private static let shared = Mutex<EnvironmentRegistry>(
    {
      var registry = EnvironmentRegistry()
      registry.register(.hopper)
      registry.register(.walker2D)
      registry.register(.halfCheetah)
      registry.register(.pushT)
      return registry
    }())
}

extension EnvironmentRegistry.Entry {
  static let hopper = locomotion(
    "hopper", "a one-legged robot that hops to the right (MuJoCo)", rules: { .hopper($0) },
    make: { try .hopper($0) })

  static let walker2D = locomotion(
    "walker2d", "a two-legged robot that walks to the right (MuJoCo)", rules: { .walker2D($0) },
    make: { try .walker2D($0) })

  static let halfCheetah = locomotion(
    "half-cheetah", "a planar cheetah that runs to the right (MuJoCo)",
    rules: { .halfCheetah($0) }, make: { try .halfCheetah($0) })

  static let pushT = EnvironmentRegistry.Entry(
    name: "push-t", summary: "push a T-shaped block onto its goal (Chipmunk)",
    parameters: PushTParameters()
  ) { parameters in
    let task = PushTEnvironment(
      observing: parameters.observation, rewardKind: parameters.reward,
      successReward: Float(parameters.successReward), rewardExponent: parameters.rewardExponent)
    return parameters.observation == .pixels
      ? CameraEnvironment(task, camera: "image", size: parameters.imageSize) : task
  }

  private static func locomotion(
    _ name: String, _ summary: String,
    rules makeRules: @escaping @Sendable (LocomotionRules.Version) -> LocomotionRules,
    make: @escaping @Sendable (LocomotionRules) throws -> LocomotionEnvironment
  ) -> EnvironmentRegistry.Entry {
    EnvironmentRegistry.Entry(
      name: name, summary: summary, parameters: LocomotionParameters(of: makeRules(.v4))
    ) { parameters in
      let task = try make(parameters.applied(to: makeRules))
      return parameters.imageSize > 0
        ? CameraEnvironment(task, camera: "track", size: parameters.imageSize) : task
    }
  }
}

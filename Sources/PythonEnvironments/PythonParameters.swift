import Configuration
import Environments
import Files
import Foundation
import Glibc
import Tensors

/// What a worker is told, as JSON; environments of equal settings may share a worker.
struct PythonSettings: Codable, Equatable, Sendable {
  /// Where the environment comes from.
  enum Source: String, Codable, Sendable {
    case gymnasium, python, robosuite, metaworld
    /// Nowhere: an expert acts beside an environment that is not one of Python.
    case beside
  }

  /// The version of what Attune and `worker.py`, where it has the same number, say to one another.
  static let currentProtocolVersion = 1

  /// What an expert beside an environment sees and gives.
  struct Spaces: Codable, Equatable, Sendable {
    /// Numbers of the observation.
    var observations: Int
    /// Bounds of the actions; nil where there is none.
    var low: [Float?]
    var high: [Float?]
  }

  var protocolVersion = PythonSettings.currentProtocolVersion
  var source: Source
  /// What it is called there.
  var name: String
  var python: String
  var kwargs: JSONNode
  var observations: [String]
  var successKey: String
  var successRule: SuccessRule
  var reward: RewardSource
  var endsAtSuccess: Bool
  var terminates: Bool
  var clipsActions: Bool
  var actionBound: Double
  /// Keys of a step's info that are carried over.
  var info: [String]
  /// Whether the source makes several environments at once.
  var vector: Bool
  /// Of a batch's episodes, which end by themselves; 0 for the environment's own.
  var timeLimit: Int
  /// Of the batch that the worker holds; 0 for a worker of environments that are stepped by
  /// themselves.
  var rows = 0
  var render = false
  /// Of the environment beside which an expert acts.
  var spaces: Spaces?

  /// What the environment is called in Attune.
  var title: String { "\(source.rawValue):\(name)" }
}

/// When an episode counts as a success.
public enum SuccessRule: String, Codable, CaseIterable, Sendable {
  /// One success is enough.
  case any
  /// It has to end with one.
  case last
}

/// What a step is paid.
public enum RewardSource: String, Codable, CaseIterable, Sendable {
  /// What the environment pays.
  case environment
  /// 1 at every step that is a success.
  case success
  /// 1 at an episode's first success.
  case successOnce
}

/// The parameters of an environment of Python.
public struct PythonParameters: EnvironmentParameters {
  /// Steps until an episode is truncated; 0 for the environment's own limit.
  @Setting(0...1_000_000_000, "steps until an episode is truncated; 0 for the environment's own")
  public var timeLimit = 0
  /// Keyword arguments of the environment, a JSON object.
  @Setting("keyword arguments of the environment, as JSON: {\"render_mode\": null}")
  public var kwargs = "{}"
  /// The Python that has the environment; found if empty.
  @Setting("the Python that has it; that of the active virtual environment, or python3, if empty")
  public var python = ""
  /// Python processes; 0 for one for each processor.
  @Setting(0...1024, "Python processes; 0 for one for each processor")
  public var workers = 0
  /// Keys of the observation, in order, separated by commas.
  @Setting("keys of the observation, in order, separated by commas; all if empty")
  public var observations = ""
  /// What a step is paid.
  @Setting("what a step is paid: environment, success (1 where it succeeds), successOnce")
  public var reward = RewardSource.environment
  /// The key of the step's info that tells success; the usual ones if empty.
  @Setting("the key of the step's info that tells success; the usual ones if empty")
  public var successKey = ""
  /// When an episode is a success.
  @Setting("an episode is a success if any step was one, or if its last one was")
  public var successRule = SuccessRule.any
  /// Whether success ends an episode.
  @Setting("whether success ends an episode") public var endsAtSuccess = false
  /// Whether the environment's terminations are believed.
  @Setting("whether its terminations are believed; false where it says so at its horizon")
  public var terminates = true
  /// Whether actions are clipped to the bounds of their space.
  @Setting("whether actions are clipped to the bounds of their space") public var clipsActions =
    true
  /// The bound of actions that have none; 0 refuses them.
  @Setting(.notNegative, "the bound of actions that have none; 0 refuses them")
  public var actionBound = 0.0
  /// Keys of the step's info whose numbers are measurements, separated by commas.
  @Setting("keys of the step's info whose numbers are kept, separated by commas")
  public var info = ""
  /// Whether the environment is a vector of Gymnasium's `VectorEnv` interface.
  @Setting("whether it steps several at once, as gymnasium.vector.VectorEnv: one process has all")
  public var vector = false
  /// Seconds that a step may take.
  @Setting(0.1...86_400, "seconds that a step may take") public var stepTimeLimit = 60.0
  /// Seconds that making and resetting may take.
  @Setting(0.1...86_400, "seconds that starting and resetting may take")
  public var startTimeLimit = 600.0
  /// How often in an hour a process that died or hung is started anew.
  @Setting(0...1000, "how often in an hour a process that died or hung is started anew")
  public var restarts = 3

  /// The defaults.
  public init() {}

  /// What a worker is told.
  ///
  /// - Throws: `ConfigurationError` if `kwargs` is not a JSON object, or for what a vector cannot do.
  func settings(_ source: PythonSettings.Source, name: String) throws -> PythonSettings {
    let arguments = try? JSONDecoder().decode(JSONNode.self, from: Data(kwargs.utf8))
    guard let arguments, case .object = arguments else {
      throw ConfigurationError.badValue(
        key: "kwargs", found: kwargs,
        expected: "a JSON object such as {\"reward_type\": \"sparse\"}")
    }
    if vector {
      // Its rows begin again by themselves, whatever is thought of their ends.
      try ConfigurationError.require(
        source == .gymnasium || timeLimit == 0, "timeLimit", timeLimit,
        "0 with vector: true: give the limit to the environment, in kwargs")
      try ConfigurationError.require(
        terminates, "terminates", terminates, "true with vector: true")
    }
    return PythonSettings(
      source: source, name: name, python: pythonPath, kwargs: arguments,
      observations: Self.keys(observations), successKey: successKey, successRule: successRule,
      reward: reward, endsAtSuccess: endsAtSuccess, terminates: terminates,
      clipsActions: clipsActions, actionBound: actionBound, info: infoKeys, vector: vector,
      timeLimit: vector ? timeLimit : 0)
  }

  private static func keys(_ text: String) -> [String] {
    text.split(separator: ",").map { String($0).trimmingCharacters(in: .whitespaces) }
  }

  /// The keys of a step's info that are carried over.
  var infoKeys: [String] { Self.keys(info) }

  /// The Python that is started.
  var pythonPath: String { python.isEmpty ? Self.defaultPython : python }

  /// What is asked of a worker.
  var limits: PythonWorker.Limits {
    PythonWorker.Limits(start: startTimeLimit, step: stepTimeLimit, restarts: restarts)
  }

  /// As many processes as processors, unless told otherwise.
  var workerCount: Int { workers > 0 ? workers : WorkerPool.availableProcessorCount }

  private static var defaultPython: String {
    guard let folder = getenv("VIRTUAL_ENV").map({ String(cString: $0) }), !folder.isEmpty else {
      return "python3"
    }
    return "\(folder)/bin/python3"
  }
}

/// JSON of any kind, to be passed on.
enum JSONNode: Codable, Equatable, Sendable {
  case null
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
  case array([JSONNode])
  case object([String: JSONNode])

  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let boolean = try? value.decode(Bool.self) {
      self = .boolean(boolean)
    } else if let integer = try? value.decode(Int.self) {
      self = .integer(integer)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else if let text = try? value.decode(String.self) {
      self = .text(text)
    } else if let array = try? value.decode([JSONNode].self) {
      self = .array(array)
    } else {
      self = .object(try value.decode([String: JSONNode].self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .boolean(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .text(let value): try container.encode(value)
    case .array(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }
}

extension EnvironmentRegistry.Resolver {
  /// `gymnasium:Hopper-v5`: what Gymnasium's registry has.
  public static let gymnasium = python(
    .gymnasium, "any environment registered with Gymnasium, as gymnasium:Hopper-v5")

  /// `python:file.py:make`: what a function of the user returns.
  public static let python = python(
    .python, "what a Python function returns, as python:file.py:make")

  /// `robosuite:Lift`: a task of robosuite.
  public static let robosuite = python(.robosuite, "a task of robosuite, as robosuite:Lift")

  /// `metaworld:peg-insert-side-v3`: a task of Meta-World.
  public static let metaworld = python(
    .metaworld, "a task of Meta-World, as metaworld:peg-insert-side-v3")

  /// All of these.
  public static let pythonEnvironments = [gymnasium, python, robosuite, metaworld]

  private static func python(
    _ source: PythonSettings.Source, _ summary: String
  ) -> EnvironmentRegistry.Resolver {
    EnvironmentRegistry.Resolver(
      prefix: source.rawValue, summary: summary, runsPrograms: true
    ) { name in
      EnvironmentRegistry.Entry(
        name: "\(source.rawValue):\(name)", summary: summary, parameters: PythonParameters()
      ) { parameters in
        try PythonEnvironment.make(source, name: name, parameters: parameters)
      } makeSeveral: { parameters, count, stepping in
        if parameters.vector, stepping == .byOneVector {
          return try PythonBatch.make(source, name: name, parameters: parameters, count: count)
        }
        return try PythonEnvironment.make(
          parameters.settings(source, name: name), parameters, count: count)
      } timeLimit: { parameters, task in
        // A vector ends its episodes itself.
        guard !parameters.vector else { return nil }
        return parameters.timeLimit > 0
          ? parameters.timeLimit : (task as? PythonEnvironment)?.ownTimeLimit
      }
    }
  }
}

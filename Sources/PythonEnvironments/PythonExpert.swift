import Configuration
import Environments
import Foundation

/// What chooses actions in an environment: an object of a Python class with `act(observation)`.
///
/// In an environment of Python it lives in that environment's process, observes what the environment
/// gives (a Dict stays one) and may see the environment. Beside one of Attune's it has a process of
/// its own and observes a float32 array.
public struct PythonExpert: Sendable, Equatable {
  /// The class, or a function that returns an object: `FILE.py:CLASS`, `package.module:CLASS`.
  public let name: String
  /// What the class is called with.
  let keywords: [String: JSONNode]
  /// The Python beside environments that have none; found if empty.
  let python: String
  /// Seconds that an action may take; nil for those that a step of the environment may.
  let timeLimit: Double?

  /// Names an expert.
  ///
  /// - Parameters:
  ///   - text: `python:FILE.py:CLASS`.
  ///   - keywords: keyword arguments of the class. What is JSON, such as `0.5`, `true` or `[1, 2]`,
  ///     is what it says; all else is a text.
  ///   - python: the Python that runs it beside an environment that is not one of Python; found if
  ///     empty.
  ///   - timeLimit: seconds that an action may take; nil for those that a step may.
  /// - Throws: `ConfigurationError` if the text is none of that form.
  public init(
    _ text: String, keywords: [String: String] = [:], python: String = "", timeLimit: Double? = nil
  ) throws(ConfigurationError) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count >= 3, parts[0] == "python", parts.allSatisfy({ !$0.isEmpty }) else {
      throw ConfigurationError.badValue(
        key: "expert", found: "'\(text)'",
        expected: "python:FILE.py:CLASS or python:package.module:CLASS")
    }
    name = String(text.dropFirst("python:".count))
    self.keywords = keywords.mapValues { value in
      (try? JSONDecoder().decode(JSONNode.self, from: Data(value.utf8))) ?? .text(value)
    }
    (self.python, self.timeLimit) = (python, timeLimit)
  }

  /// What a worker is told of it.
  struct Settings: Encodable {
    let name: String
    let kwargs: [String: JSONNode]
  }

  var settings: Settings { Settings(name: name, kwargs: keywords) }

  /// Puts an expert of this kind into each of some environments. Processes that are started for them
  /// start side by side.
  ///
  /// - Throws: `EnvironmentError.expertFailed` with what Python said; `ConfigurationError` if a
  ///   Python is named for the expert where the environment has its own.
  public func attached(to environments: [any Environment]) throws -> [ExpertEnvironment] {
    guard let first = environments.first else { return [] }
    let own = environments.compactMap { $0.layer(PythonEnvironment.self) }
    let isBeside = own.count < environments.count
    if !isBeside, !python.isEmpty {
      throw ConfigurationError.badValue(
        key: "expert-python", found: "'\(python)'",
        expected:
          "none with \(first.name), in whose process the expert is: name that Python by the "
          + "environment's parameter python=\(python)")
    }
    let actors = isBeside ? try actors(beside: first, count: environments.count) : own
    for actor in actors { try actor.attach(self) }
    return zip(environments, actors).map {
      ExpertEnvironment($0, actor: $1, isBeside: isBeside)
    }
  }

  /// Processes with nothing but the expert, as many as environments.
  private func actors(
    beside environment: any Environment, count: Int
  ) throws -> [PythonEnvironment] {
    var parameters = PythonParameters()
    parameters.python = python
    parameters.workers = count
    var settings = try parameters.settings(.beside, name: name)
    func bounds(_ values: [Float]) -> [Float?] { values.map { $0.isFinite ? $0 : nil } }
    let space = environment.actionSpace
    settings.spaces = PythonSettings.Spaces(
      observations: environment.observationSpace.count, low: bounds(space.lowerBounds),
      high: bounds(space.upperBounds))
    return try PythonEnvironment.make(settings, parameters, count: count)
  }
}

/// An environment with an expert in it.
public final class ExpertEnvironment: EnvironmentWrapper {
  /// The environment inside.
  public let base: any Environment
  /// Where the expert is: the environment itself, or what stands in for it in another process.
  private let actor: PythonEnvironment
  private let isBeside: Bool

  fileprivate init(_ base: any Environment, actor: PythonEnvironment, isBeside: Bool) {
    (self.base, self.actor, self.isBeside) = (base, actor, isBeside)
  }

  /// That of the environment; else that of the expert, for which its thread waits.
  public var lane: (any EnvironmentLane)? { base.lane ?? actor.lane }

  /// Passes the actions on.
  public func prepare(_ actions: UnsafeBufferPointer<Float>) { base.prepare(actions) }

  /// Starts an episode; the expert is told its seed.
  public func reset(_ start: EpisodeStart) throws {
    try base.reset(start)
    if isBeside { try actor.reset(start) }
  }

  /// The action that the expert chooses for what the environment shows, in the environment's units;
  /// nil if the episode is lost with the expert's process.
  ///
  /// - Throws: `EnvironmentError.expertFailed` with what Python said, or what the action was instead
  ///   of finite numbers in the shape of the action space.
  public func expertAction() throws -> [Float]? {
    if isBeside { actor.show(base.observation) }
    return try actor.expertAction()
  }
}

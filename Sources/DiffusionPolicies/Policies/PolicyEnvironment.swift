import Environments

/// The environment that a policy acts in, with its chunks, history and normalization around it.
public struct PolicyEnvironment: Sendable {
  /// The policy's configuration.
  public let configuration: PolicyConfiguration
  /// What maps observations and actions to [-1, 1].
  public let normalization: DemonstrationNormalization
  private let registry: EnvironmentRegistry

  /// - Parameters:
  ///   - configuration: names the environment.
  ///   - normalization: of the policy.
  ///   - cameras: whose images the policy sees.
  ///   - registry: knows the environment.
  /// - Throws: `EnvironmentError` if there is no such environment; `PolicyError` if it has other
  ///   sizes than the normalization, or other cameras.
  public init(
    _ configuration: PolicyConfiguration, normalization: DemonstrationNormalization,
    cameras: [Camera] = [], registry: EnvironmentRegistry = .standard
  ) throws {
    self.configuration = configuration
    self.normalization = normalization
    self.registry = registry
    let environment = try configuration.environment.make(in: registry)
    let (observation, action) = (environment.observationSpace.count, environment.actionSpace.count)
    guard observation == normalization.observations.size, action == normalization.actions.size
    else {
      throw PolicyError.sizes(
        environment: environment.name, observation: observation, action: action,
        policyObservation: normalization.observations.size,
        policyAction: normalization.actions.size)
    }
    guard environment.cameras == cameras else {
      throw PolicyError.cameras(
        environment: environment.name, found: environment.cameras, expected: cameras)
    }
  }

  /// One environment; `visit` sees the inner one at every start and after every single step.
  public func make(
    visit: ((any Environment, StepOutcome?) throws -> Void)? = nil
  ) throws -> any Environment {
    var environment = try configuration.environment.make(in: registry)
    if let visit { environment = StepVisitor(environment, visit: visit) }
    return wrapped(environment)
  }

  /// Several of them, each of which somebody steps by itself. What they live in starts side by side.
  ///
  /// - Throws: what making an environment throws.
  func make(count: Int) throws -> [any Environment] {
    try configuration.environment.make(count: count, stepping: .byThemselves, in: registry)
      .map(wrapped)
  }

  /// With normalization, history and chunks around it.
  private func wrapped(_ environment: any Environment) -> any Environment {
    wrapped(environment, gamma: 1)
  }

  private func wrapped(_ environment: any Environment, gamma: Float) -> any Environment {
    var environment: any Environment = NormalizedEnvironment(
      environment, observations: normalization.observations, actions: normalization.actions)
    environment = ObservationHistory(environment, count: configuration.observationSteps)
    return ActionChunks(environment, count: configuration.actionSteps, gamma: gamma)
  }

  /// Several of them, stepped side by side.
  ///
  /// - Parameters:
  ///   - count: `B`
  ///   - seed: decides their starts.
  ///   - firstNumber: the number of the first one, where others have those before it.
  ///   - chunkGamma: discounts the rewards within a chunk.
  /// - Throws: what making and starting an environment throws.
  public func makeVector(
    count: Int, seed: UInt64, firstNumber: Int = 0, chunkGamma: Float = 1
  ) throws -> LocalVectorEnvironment {
    let environments = try configuration.environment.make(
      count: count, stepping: .byOneVector, in: registry)
    return try LocalVectorEnvironment(
      environments.map { wrapped($0, gamma: chunkGamma) }, seed: seed, firstNumber: firstNumber)
  }
}

extension EnvironmentConfiguration {
  /// The environment of a checkpoint, or another one in its place, whose parameters do not pass on.
  ///
  /// A program of this machine starts only if the user names it too; which Python runs it is not
  /// taken from the checkpoint either.
  ///
  /// - Parameters:
  ///   - name: what the user names; nil for that of the checkpoint.
  ///   - key: the option or setting that names it, for errors.
  ///   - registry: knows the environments.
  /// - Throws: `EnvironmentError.unconfirmed` if the checkpoint alone names a program.
  public func chosen(
    _ name: String?, by key: String, in registry: EnvironmentRegistry = .standard
  ) throws -> EnvironmentConfiguration {
    var chosen = self
    if let name, name != self.name {
      chosen = EnvironmentConfiguration()
      chosen.name = name
    } else if registry.runsPrograms(self.name) {
      guard name != nil else {
        throw EnvironmentError.unconfirmed(environment: self.name, key: key)
      }
      chosen.parameters["python"] = nil
    }
    return chosen
  }

  /// The bare environment with its time limit, statistics and guard.
  ///
  /// - Throws: `EnvironmentError` naming what is unknown or wrong, `PolicyError.noEnvironment` if
  ///   there is none.
  public func make(in registry: EnvironmentRegistry = .standard) throws -> any Environment {
    guard !isNone else { throw PolicyError.noEnvironment }
    return try registry.make(name, parameters)
  }

  /// Several of them, made side by side where they live in programs.
  ///
  /// - Parameters:
  ///   - count: of the environments.
  ///   - stepping: whether one vector steps them, which may then be rows of a batch.
  ///   - registry: knows the environments.
  /// - Throws: as `make(in:)`.
  public func make(
    count: Int, stepping: EnvironmentRegistry.Stepping,
    in registry: EnvironmentRegistry = .standard
  ) throws -> [any Environment] {
    guard !isNone else { throw PolicyError.noEnvironment }
    return try registry.make(name, parameters, count: count, stepping: stepping)
  }
}

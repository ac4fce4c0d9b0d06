import Environments

/// The environment that a policy acts in, with its chunks, history and normalization around it.
public struct PolicyEnvironment: Sendable {
  /// The policy's configuration.
  public let configuration: PolicyConfiguration
  /// What maps observations and actions to [-1, 1].
  public let normalization: DemonstrationNormalization

  /// - Throws: `EnvironmentError` if there is no such environment; `PolicyError.sizes` if it has other
  ///   sizes than the normalization.
  public init(
    _ configuration: PolicyConfiguration, normalization: DemonstrationNormalization
  ) throws {
    self.configuration = configuration
    self.normalization = normalization
    let environment = try configuration.environment.make()
    let (observation, action) = (environment.observationSpace.count, environment.actionSpace.count)
    guard observation == normalization.observations.size, action == normalization.actions.size
    else {
      throw PolicyError.sizes(
        environment: environment.name, observation: observation, action: action,
        policyObservation: normalization.observations.size,
        policyAction: normalization.actions.size)
    }
  }

  /// One environment; `visit` sees the inner one at every start and after every single step.
  public func make(
    visit: ((any Environment, StepOutcome?) -> Void)? = nil
  ) throws -> any Environment {
    var environment = try configuration.environment.make()
    if let visit { environment = StepVisitor(environment, visit: visit) }
    environment = NormalizedEnvironment(
      environment, observations: normalization.observations, actions: normalization.actions)
    environment = ObservationHistory(environment, count: configuration.observationCount)
    return ActionChunks(environment, count: configuration.executedCount)
  }
}

extension EnvironmentConfiguration {
  /// The bare environment with its time limit, statistics and guard.
  ///
  /// - Throws: `EnvironmentError` naming what is unknown or wrong.
  public func make() throws -> any Environment {
    try EnvironmentRegistry.standard.make(name, parameters.mapValues { .text($0) })
  }
}

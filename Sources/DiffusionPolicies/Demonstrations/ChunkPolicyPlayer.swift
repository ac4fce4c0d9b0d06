import Environments
import Files
import Tensors

/// Plays a policy over action chunks step by step, for demonstrations of its own: as `PolicyEnvironment` puts
/// normalization, history and chunks around an environment, and with the noise of `PolicyEvaluation`.
public struct ChunkPolicyPlayer: Sendable {
  private let policy: any ActingPolicy
  private let normalization: DemonstrationNormalization
  private let observationSteps: Int
  private let actionSteps: Int

  /// Plays the policy of a checkpoint as it is evaluated.
  ///
  /// - Throws: `PolicyError.cameras` if it sees images, of which single steps bring none; what making a
  ///   policy throws.
  public init(_ checkpoint: PolicyCheckpoint) throws {
    guard checkpoint.cameras.isEmpty else {
      throw PolicyError.cameras(
        environment: checkpoint.configuration.environment.name, found: [],
        expected: checkpoint.cameras)
    }
    policy = try checkpoint.makeActingPolicy()
    normalization = checkpoint.normalization
    observationSteps = checkpoint.configuration.observationSteps
    actionSteps = checkpoint.configuration.actionSteps
  }

  /// Whether a file is a checkpoint of a policy over chunks, and no actor of SAC.
  ///
  /// - Throws: `FileError` if it cannot be read.
  public static func plays(_ path: String) throws -> Bool {
    PolicyCheckpoint.isDescribed(in: try SafetensorsFile(path: path).metadata)
  }

  /// The policy for one episode in an environment, whose noise depends on `seed` alone.
  ///
  /// - Throws: `PolicyError.sizes` if the environment has other observations or actions.
  public func player(
    in environment: any Environment, seed: UInt64
  ) throws -> DemonstrationCollector.Player {
    let (observationSize, actionSize) = (
      normalization.observations.size, normalization.actions.size
    )
    guard environment.observationSpace.count == observationSize,
      environment.actionSpace.count == actionSize
    else {
      throw PolicyError.sizes(
        environment: environment.name, observation: environment.observationSpace.count,
        action: environment.actionSpace.count, policyObservation: observationSize,
        policyAction: actionSize)
    }
    var history: [Float] = []
    var pending: ArraySlice<Float> = []
    var decision = 0
    return { observation, _ in
      let normalized = normalization.observations.normalized(observation)
      if history.isEmpty {
        // The first observation stands for those that were never made.
        history = (0..<observationSteps).flatMap { _ in normalized }
      } else {
        history.removeFirst(observationSize)
        history += normalized
      }
      if pending.isEmpty {
        let chunks = policy.decide(
          on: Observations(
            Tensor(shape: [1, observationSteps, observationSize], elements: history)),
          mode: .evaluating,
          streams: [PolicyEvaluation.noise(ofDecision: decision, episode: 0, seed: seed)]
        ).chunks
        pending = chunks.slice(0..<actionSteps, along: 1).elements[...]
        decision += 1
      }
      defer { pending = pending.dropFirst(actionSize) }
      return normalization.actions.denormalized(Array(pending.prefix(actionSize)))
    }
  }
}

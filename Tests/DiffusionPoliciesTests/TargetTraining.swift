import Environments
import NeuralNetworks
import Tensors

@testable import DiffusionPolicies

/// Short trainings on the target task, for tests that ask what one setting does.
enum TargetTraining {
  static let normalization = DemonstrationNormalization(
    observations: MinMaxNormalization(minimum: [-2], maximum: [2]),
    actions: MinMaxNormalization(minimum: [-1], maximum: [1]))

  static func policy(
    _ change: (inout PolicyConfiguration) -> Void = { _ in }
  ) -> PolicyConfiguration {
    var policy = PolicyConfiguration()
    policy.environment.name = "target"
    policy.observationSteps = 2
    policy.horizonSteps = 4
    policy.actionSteps = 2
    policy.network.hiddenSizes = [16, 16, 16]
    policy.denoising.stepCount = 5
    change(&policy)
    return policy
  }

  /// A network of the policy's kind that has learned nothing yet.
  static func network(_ policy: PolicyConfiguration) throws -> any Module {
    var random = RandomStream(seed: 5)
    let (sizes, network) = (
      (action: 1, condition: policy.observationSteps), policy.network
    )
    guard let type = network.kind.densityNetwork else {
      return try network.makeDenoiser(
        actionSize: sizes.action, horizonSteps: policy.horizonSteps,
        conditionSize: sizes.condition, random: &random)
    }
    return try network.makeDensityNetwork(
      type, actionSize: sizes.action, horizonSteps: policy.horizonSteps,
      conditionSize: sizes.condition, random: &random)
  }

  /// A policy that has learned nothing yet.
  static func start(
    _ change: (inout PolicyConfiguration) -> Void = { _ in }
  ) throws -> PolicyCheckpoint {
    let policy = policy(change)
    let network = try network(policy)
    return PolicyCheckpoint(
      configuration: policy, normalization: normalization,
      weights: network.parameters.values.prefixed("network"))
  }

  /// 6 environments of 10 decisions with 3 fine-tuned steps are 180 pairs, 3 minibatches a pass.
  static func training(
    _ checkpoint: PolicyCheckpoint? = nil, _ change: (inout DPPOConfiguration) -> Void
  ) throws -> any PolicyTrainer {
    var configuration = DPPOConfiguration()
    configuration.environments = 6
    configuration.rolloutSteps = 10
    configuration.fineTunedSteps = 3
    configuration.epochs = 2
    configuration.batchSize = 50
    configuration.targetKL = 0
    configuration.critic.hiddenSizes = [16, 16, 16]
    change(&configuration)
    return try PolicyAlgorithmRegistry.standard.trainer(
      PolicyTrainingStart(
        try checkpoint ?? start(), configuration: configuration, seed: 3,
        registry: TargetEnvironment.registry))
  }

  static func environment(_ policy: PolicyConfiguration) throws -> PolicyEnvironment {
    try PolicyEnvironment(
      policy, normalization: normalization, registry: TargetEnvironment.registry)
  }
}

import Configuration
import Environments
import NeuralNetworks
import Tensors

/// A trainer that improves a policy in its environment.
public protocol PolicyTrainer: Trainer where Configuration == DPPOConfiguration {
  /// A policy that it can improve.
  associatedtype Policy: TrainablePolicy

  /// What is improved.
  var policy: Policy { get }
  /// Steps of the environments so far.
  var environmentSteps: Int { get }
  /// The episodes that ended in the last iteration, as the exploring policy played them.
  var finishedEpisodes: [EpisodeStatistics] { get }

  /// What an iteration leaves out of the updates, or does otherwise than one may expect, one sentence
  /// each.
  var notes: [String] { get }

  /// The policy as it is now, with its critic.
  func checkpoint(origin: [String: String]) -> PolicyCheckpoint
}

extension PolicyTrainer {
  /// How many iterations there are to be.
  public var iterations: Int { configuration.iterations }

  /// Curves are drawn over steps of the environments.
  public var step: Int { environmentSteps }

  /// The policy as it is now, with its critic.
  public func checkpoint() -> PolicyCheckpoint { checkpoint(origin: [:]) }
}

extension PolicyTrainer where Policy: LikelihoodPolicy {
  /// What an iteration leaves out of the updates, one sentence each.
  public var notes: [String] {
    let counts = (
      configuration.environments, configuration.rolloutSteps, policy.transitionCount
    )
    let pairCount = counts.0 * counts.1 * counts.2
    let pairs =
      "\(pairCount) pairs of chunk and denoising step (\(counts.0) environments x "
      + "\(counts.1) chunks x \(counts.2) steps)"
    let size = configuration.batchSize
    guard size <= pairCount else {
      return ["minibatches have all \(pairs), fewer than training.batchSize, which is \(size)"]
    }
    let left = pairCount % size
    guard left > 0 else { return [] }
    return [
      "each epoch leaves out \(left) of \(pairs), which do not fill a minibatch of \(size); "
        + "others in every epoch"
    ]
  }
}

/// What the training of a policy starts from, or goes on with.
public struct PolicyTrainingStart: Sendable {
  /// The policy, with the critic to go on with if it has one of the same kind.
  public var checkpoint: PolicyCheckpoint
  /// How to improve it.
  public var configuration: DPPOConfiguration
  /// How algorithms improve it that learn off policy.
  public var offPolicy = OffPolicyConfiguration()
  /// The file that the policy was read from, for what is kept beside it; nil to keep everything in one
  /// file.
  public var base: BasePolicyFile?
  /// Decides the critic's first weights, starts, noise and minibatches.
  public var seed: UInt64
  /// Knows the environment.
  public var registry: EnvironmentRegistry
  /// Know what reads the observations.
  public var encoders: ObservationEncoderRegistry
  /// Shares the work among processes.
  public var communicator: any Communicator
  /// What a training with these settings had come to; nil for one that begins.
  public var state: TrainingState?

  /// The start of a training in the environments of Attune, in one process, unless told otherwise.
  public init(
    _ checkpoint: PolicyCheckpoint, configuration: DPPOConfiguration, seed: UInt64,
    registry: EnvironmentRegistry = .standard,
    encoders: ObservationEncoderRegistry = .standard,
    communicator: any Communicator = SingleProcess(), state: TrainingState? = nil
  ) {
    self.checkpoint = checkpoint
    self.configuration = configuration
    self.seed = seed
    self.registry = registry
    self.encoders = encoders
    self.communicator = communicator
    self.state = state
  }
}

/// An algorithm that improves policies, by its name in settings.
public struct PolicyAlgorithm: Sendable {
  /// As in "dppo".
  public let name: String
  /// The kinds of networks whose policies it can improve.
  public let networks: [NetworkConfiguration.Kind]
  /// Whether it goes on with a policy of initial noise, which others would forget.
  let keepsNoisePolicy: Bool
  /// Whether it learns from decisions of earlier policies, by `OffPolicyConfiguration`.
  public let isOffPolicy: Bool
  /// What it reads of `training` besides what all of those read.
  private let trainingSettings: [String]
  /// What it does not read of `offPolicy`, besides the sections of other algorithms.
  private let unreadOffPolicySettings: [String]
  fileprivate let make: @Sendable (PolicyTrainingStart) throws -> any PolicyTrainer

  /// An algorithm for policies of some networks; `make` starts it.
  public init(
    name: String, networks: [NetworkConfiguration.Kind], isOffPolicy: Bool = false,
    keepsNoisePolicy: Bool = false, trainingSettings: [String] = [],
    unreadOffPolicySettings: [String] = [],
    make: @escaping @Sendable (PolicyTrainingStart) throws -> any PolicyTrainer
  ) {
    self.name = name
    self.networks = networks
    self.isOffPolicy = isOffPolicy
    self.keepsNoisePolicy = keepsNoisePolicy
    self.trainingSettings = trainingSettings
    self.unreadOffPolicySettings = unreadOffPolicySettings
    self.make = make
  }
}

extension PolicyAlgorithm {
  /// What all that learn off policy read of `training`.
  private static let commonTrainingSettings = [
    "iterations", "environments", "rolloutSteps", "resetsEachIteration", "gamma", "rewardFactor",
  ]

  /// Whether it reads a setting of `training`, by its path of keys there.
  fileprivate func readsTraining(_ path: String) -> Bool {
    !isOffPolicy || Self.isListed(path, Self.commonTrainingSettings + trainingSettings)
  }

  /// Whether it reads a setting of `offPolicy` that is of no algorithm alone.
  fileprivate func readsOffPolicy(_ path: String) -> Bool {
    isOffPolicy && !Self.isListed(path, unreadOffPolicySettings)
  }

  private static func isListed(_ path: String, _ settings: [String]) -> Bool {
    settings.contains { path == $0 || path.hasPrefix($0 + ".") }
  }
}

/// The algorithms that settings can name.
public struct PolicyAlgorithmRegistry: Sendable {
  /// Where several fit a policy, the first is its default.
  public var algorithms: [PolicyAlgorithm]

  /// Knows some algorithms.
  public init(_ algorithms: [PolicyAlgorithm]) { self.algorithms = algorithms }

  /// DPPO, PPO for policies that do not denoise, and those that learn off policy.
  public static let standard = PolicyAlgorithmRegistry([
    .dppo, .ppo, .dsrl, .idql, .dql, .qsm, .dipo, .drwr, .dawr,
  ])

  /// Whether an algorithm reads a setting of `policy finetune`; settings elsewhere than in `training` and
  /// `offPolicy` are not the algorithm's.
  ///
  /// - Parameters:
  ///   - key: the path of keys.
  ///   - algorithm: nil for that of the checkpoint's kind, which learns on policy.
  public func reads(_ key: String, _ algorithm: PolicyAlgorithm?) -> Bool {
    let parts = key.split(separator: ".", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { return parts != ["offPolicy"] || algorithm?.isOffPolicy == true }
    switch parts[0] {
    case "training": return algorithm?.readsTraining(parts[1]) ?? true
    case "offPolicy":
      guard let algorithm, algorithm.readsOffPolicy(parts[1]) else { return false }
      let section = parts[1].prefix { $0 != "." }
      return !algorithms.contains { $0.name == section && $0.name != algorithm.name }
    default: return true
    }
  }

  /// Starts a training, or goes on with one.
  ///
  /// - Parameters:
  ///   - start: what it begins with.
  ///   - name: the algorithm; that of the checkpoint's kind of network unless given.
  /// - Throws: `ConfigurationError` for an algorithm that does not exist or does not fit the
  ///   checkpoint, and for other settings that do not fit; what making a policy and its
  ///   environments throws.
  public func trainer(
    _ start: PolicyTrainingStart, algorithm name: String? = nil
  ) throws -> any PolicyTrainer {
    try start.configuration.validate()
    try start.offPolicy.validate()
    let kind = start.checkpoint.configuration.network.kind
    let fitting = algorithms.filter { $0.networks.contains(kind) }
    let names = fitting.map(\.name).joined(separator: " or ")
    guard let name = name ?? fitting.first?.name else {
      throw ConfigurationError.badValue(
        key: "algorithm", found: "none that improves a policy of kind '\(kind.rawValue)'",
        expected: "a policy of another kind")
    }
    guard let algorithm = algorithms.first(where: { $0.name == name }) else {
      throw ConfigurationError.badValue(
        key: "algorithm", found: "'\(name)'",
        expected: algorithms.map(\.name).joined(separator: " or "))
    }
    guard algorithm.networks.contains(kind) else {
      throw ConfigurationError.badValue(
        key: "algorithm", found: "'\(name)' for a policy of kind '\(kind.rawValue)'",
        expected: names)
    }
    try ConfigurationError.require(
      start.checkpoint.noisePolicy == nil || algorithm.keepsNoisePolicy, "algorithm",
      "'\(name)' for a policy of initial noise",
      "'dsrl' to continue with it, or the checkpoint of the policy that it steers")
    var start = start
    if !algorithm.isOffPolicy {
      // It learns no Q, and would leave that of another policy.
      (start.checkpoint.qFunction, start.checkpoint.bestOf) = (nil, nil)
    }
    if start.state == nil {
      start.checkpoint = try start.checkpoint.start(
        ofFineTuning: algorithm.isOffPolicy
          ? start.checkpoint.fineTunedSteps : start.configuration.fineTunedSteps)
    }
    return try algorithm.make(start)
  }
}

extension PolicyAlgorithm {
  /// DPPO, for diffusion policies.
  public static let dppo = PolicyAlgorithm(name: "dppo", networks: [.mlp, .unet]) { start in
    let policy = try start.checkpoint.makeDiffusionPolicy(
      exploration: start.configuration.exploration,
      fineTuning: start.configuration.fineTunedSteps, encoders: start.encoders)
    return try DPPO(start, policy: policy)
  }
}

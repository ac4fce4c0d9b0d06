import Configuration
import Environments
import NeuralNetworks
import Tensors

/// A trainer that improves a policy in its environment.
public protocol PolicyTrainer: Trainer where Configuration == DPPOConfiguration {
  /// A policy that it can improve.
  associatedtype Policy: LikelihoodPolicy

  /// What is improved.
  var policy: Policy { get }
  /// Steps of the environments so far.
  var environmentSteps: Int { get }
  /// The episodes that ended in the last iteration, as the exploring policy played them.
  var finishedEpisodes: [EpisodeStatistics] { get }

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
  fileprivate let make: @Sendable (PolicyTrainingStart) throws -> any PolicyTrainer

  /// An algorithm for policies of some networks; `make` starts it.
  public init(
    name: String, networks: [NetworkConfiguration.Kind],
    make: @escaping @Sendable (PolicyTrainingStart) throws -> any PolicyTrainer
  ) {
    self.name = name
    self.networks = networks
    self.make = make
  }
}

/// The algorithms that settings can name.
public struct PolicyAlgorithmRegistry: Sendable {
  /// Where several fit a policy, the first is its default.
  public var algorithms: [PolicyAlgorithm]

  /// Knows some algorithms.
  public init(_ algorithms: [PolicyAlgorithm]) { self.algorithms = algorithms }

  /// DPPO, and PPO for policies that do not denoise.
  public static let standard = PolicyAlgorithmRegistry([.dppo, .ppo])

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
    var start = start
    if start.state == nil {
      start.checkpoint = try start.checkpoint.start(
        ofFineTuning: start.configuration.fineTunedSteps)
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

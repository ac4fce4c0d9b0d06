import DiffusionPolicies
import Environments
import Media
import Tensors

/// A policy that acts for robots outside of Attune. It is given observations, so that no environment
/// is made for it, and no program started that a checkpoint names.
public final class ServedPolicy: Sendable {
  /// What a client has to know of it.
  public let description: PolicyDescription
  /// The ranges of observations and actions.
  let normalization: DemonstrationNormalization
  /// To
  let observationSteps: Int
  /// Ta
  let actionSteps: Int
  /// Whose images it sees.
  let cameras: [Camera]
  private let policy: any ActingPolicy

  /// - Parameters:
  ///   - checkpoint: the policy.
  ///   - name: what clients are told of where it comes from, such as the file's name.
  ///   - bestOf: the chunks of which the one of the greatest Q is executed, if not the checkpoint's own.
  /// - Throws: `PolicyError.noCritic` for the best of several without a Q function;
  ///   `ConfigurationError` or `ParameterError` if the checkpoint's weights and configuration do not
  ///   fit.
  public init(_ checkpoint: PolicyCheckpoint, name: String, bestOf: Int? = nil) throws {
    cameras = checkpoint.cameras
    policy = try checkpoint.makeActingPolicy(bestOf: bestOf)
    normalization = checkpoint.normalization
    observationSteps = checkpoint.configuration.observationSteps
    actionSteps = checkpoint.configuration.actionSteps
    description = PolicyDescription(checkpoint, name: name)
  }

  /// `Do`
  public var observationSize: Int { normalization.observations.size }
  /// `Da`
  public var actionSize: Int { normalization.actions.size }

  /// The bytes of a request with the images of all steps of a decision, written in base64, beside its
  /// other parts.
  var imageByteCount: Int {
    let images = cameras.reduce(0) { $0 + CameraBytes.count(of: $1) }
    return (images + images / 2) * max(observationSteps, actionSteps)
  }

  /// The executed part of the chunk of each row, normalized, `[Ta, Da]` row-major.
  ///
  /// Rows do not depend on one another: who else asks does not matter.
  func decide(_ requests: [DecisionRequest]) -> [[Float]] {
    let images = cameras.enumerated().map { index, camera in
      (
        camera.name,
        CameraImages(
          camera, stepCount: observationSteps, frames: requests.flatMap { $0.images[index] })
      )
    }
    let decisions = policy.decide(
      on: Observations(
        Tensor(
          shape: [requests.count, observationSteps, observationSize],
          elements: requests.flatMap(\.history)),
        images: Dictionary(uniqueKeysWithValues: images)),
      mode: .evaluating, streams: requests.map(\.noise))
    let executed = decisions.chunks.slice(0..<actionSteps, along: 1).elements
    let size = actionSteps * actionSize
    return requests.indices.map { Array(executed[$0 * size..<($0 + 1) * size]) }
  }
}

/// What a decision is made of.
struct DecisionRequest: Sendable {
  /// The latest observations, normalized, oldest first: `[To, Do]` row-major.
  var history: [Float]
  /// The images of these observations, `To` of each camera.
  var images: [[Image]] = []
  /// Draws the decision's noise.
  var noise: RandomStream
}

/// What a policy takes and gives, as `GET /` states it.
public struct PolicyDescription: Codable, Equatable, Sendable {
  /// The checkpoint's name.
  public var checkpoint: String
  /// The environment that the policy was trained in; `none` for a robot that Attune does not
  /// simulate.
  public var environment: String
  /// The environment's parameters that are not its own defaults.
  public var environmentParameters: [String: String]
  /// `Do`: the numbers of an observation.
  public var observationSize: Int
  /// Whose images an observation has beside its numbers; none of a policy that sees none.
  public var cameras: [Camera]
  /// `Da`: the numbers of an action.
  public var actionSize: Int
  /// The minimum that an action can be, `[Da]`, in the environment's units.
  public var actionMinimum: [Float]
  /// The maximum that an action can be, `[Da]`.
  public var actionMaximum: [Float]
  /// To: the latest observations that a decision sees.
  public var observationSteps: Int
  /// Tp: the actions that a decision predicts.
  public var horizonSteps: Int
  /// Ta: the actions of them that are executed.
  public var actionSteps: Int
  /// The kind of network: `mlp`, `unet`, `gaussian` or `gmm`.
  public var network: String
  /// The runs of the network for a decision; 1 for a Gaussian policy or a mixture.
  public var denoisingSteps: Int
  /// The denoising steps that were fine-tuned.
  public var fineTunedSteps: Int
  /// Where the policy comes from: the checkpoint's own texts.
  public var origin: [String: String]

  init(_ checkpoint: PolicyCheckpoint, name: String) {
    let configuration = checkpoint.configuration
    // Chunks are clamped to it before they are taken to the environment's units.
    let limit = checkpoint.exploration?.actionLimit ?? DiffusionPolicy.Exploration().actionLimit
    let ones = [Float](repeating: limit, count: checkpoint.actionSize)
    self.checkpoint = name
    environment = configuration.environment.isNone ? "none" : configuration.environment.name
    environmentParameters = configuration.environment.parameters
    observationSize = checkpoint.observationSize
    cameras = checkpoint.cameras
    actionSize = checkpoint.actionSize
    actionMinimum = checkpoint.normalization.actions.denormalized(ones.map { -$0 })
    actionMaximum = checkpoint.normalization.actions.denormalized(ones)
    observationSteps = configuration.observationSteps
    horizonSteps = configuration.horizonSteps
    actionSteps = configuration.actionSteps
    network = configuration.network.kind.rawValue
    denoisingSteps =
      configuration.network.kind.isDenoiser ? configuration.denoising.transitionCount : 1
    fineTunedSteps = checkpoint.fineTunedSteps
    origin = checkpoint.origin
  }
}

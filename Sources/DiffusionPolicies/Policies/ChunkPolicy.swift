import Configuration
import Diffusion
import Environments
import NeuralNetworks
import Tensors

/// How a policy chooses among its actions.
public enum ActionMode: Sendable, Hashable {
  /// With the noise of training.
  case exploring
  /// As it acts when it is evaluated.
  case evaluating
}

/// A decision of each row: the actions, and what is needed to score them again later.
public struct ChunkDecisions: Sendable {
  /// Normalized actions `[B, Tp, Da]`.
  public let chunks: Tensor
  /// The states around the improved transitions `[B, K' + 1, Tp, Da]`; the last is the chunk.
  public let states: Tensor
  /// The log-probability of each improved transition `[B, K']` under the policy that made it.
  public let logProbabilities: Tensor
}

/// A policy over action chunks that acts.
public protocol ActingPolicy: AnyObject, Sendable {
  /// Acts on `B` observations; each row draws its noise from its own stream.
  func decide(
    on observations: Observations, mode: ActionMode, streams: [RandomStream]
  ) -> ChunkDecisions
}

/// A policy that a training improves.
public protocol TrainablePolicy: ActingPolicy {
  /// What is trained.
  var parameters: NamedParameters { get }
  /// Weights by name, with the prefixes of the DPPO reference.
  var weights: [String: Tensor] { get }
}

/// A policy whose decisions have likelihoods, as PPO needs them: each decision is a chain of K'
/// transitions, of which a diffusion policy has several Gaussian ones and a `DensityPolicy` one.
public protocol LikelihoodPolicy: TrainablePolicy {
  /// K': the transitions of a decision that are improved.
  var transitionCount: Int { get }
  /// The place of the first of them in the whole chain.
  var firstTransition: Int { get }
  /// What is trained with an optimizer of its own: a learned eta.
  var explorationParameters: NamedParameters? { get }
  /// Reads images for all of the policy's networks and never changes; nil where it learns.
  var frozenEncoder: (any ObservationEncoder)? { get }

  /// The log-probabilities `[M]` of recorded transitions, differentiable.
  ///
  /// - Parameters:
  ///   - transitions: `M` of them.
  ///   - observations: those of each transition, `M` of them.
  func logProbabilities(of transitions: RecordedTransitions, observations: Observations) -> Tensor

  /// A scalar to be kept high with PPO's entropy coefficient, differentiable; nil where it is
  /// constant.
  func entropy(observations: Observations) -> Tensor?

  /// What the policy before fine-tuning does on `M` observations: the states around the
  /// transitions `[M, K' + 1, Tp, Da]`. Not recorded.
  func frozenStates(on observations: Observations, streams: [RandomStream]) -> Tensor

  /// The log-probabilities `[M]` of such states under this policy, averaged over transitions,
  /// differentiable: the behaviour-cloning term of the DPPO reference (arXiv:2403.03949, equation
  /// 2).
  func cloningLogProbabilities(of states: Tensor, observations: Observations) -> Tensor

  /// Lets what has been learned run all but the last `count` transitions from now on: K' annealed.
  ///
  /// - Throws: what making a network throws.
  func reduceTransitionCount(to count: Int) throws

  /// Takes back weights.
  ///
  /// - Throws: `ParameterError` if they belong to another policy.
  func load(_ weights: [String: Tensor]) throws
}

extension LikelihoodPolicy {
  /// Encoders learn, unless a policy says otherwise.
  public var frozenEncoder: (any ObservationEncoder)? { nil }

  /// All that is trained, by whichever optimizer.
  var allParameters: NamedParameters {
    guard let explorationParameters else { return parameters }
    var all = parameters
    for (name, parameter) in explorationParameters {
      all.add("exploration.\(name)", parameter)
    }
    return all
  }

  /// A chain of one transition stays as it is.
  public func reduceTransitionCount(to count: Int) throws {
    precondition(count == transitionCount, "K' = \(transitionCount) cannot become \(count)")
  }
}

extension ActingPolicy {
  /// Decides for many rows, each worker for a part of them from noise to chunk.
  ///
  /// Rows do not depend on one another, so that neither the parts nor the workers matter.
  public func decideInParallel(
    on observations: Observations, mode: ActionMode, streams: [RandomStream]
  ) -> ChunkDecisions {
    let count = observations.count
    precondition(count > 0 && streams.count == count, "\(streams.count) streams for \(count) rows")
    let workers = min(count, WorkerPool.shared.threadCount)
    let bounds = (0...workers).map { count * $0 / workers }
    var parts = [ChunkDecisions?](repeating: nil, count: workers)
    parts.withUnsafeMutableBufferPointer { parts in
      WorkerPool.shared.forEach(workers) { index in
        let range = bounds[index]..<bounds[index + 1]
        parts[index] = decide(
          on: observations.slice(range), mode: mode, streams: Array(streams[range]))
      }
    }
    let whole = parts.compactMap { $0 }
    if whole.count == 1 { return whole[0] }
    return ChunkDecisions(
      chunks: .concatenated(whole.map(\.chunks), along: 0),
      states: .concatenated(whole.map(\.states), along: 0),
      logProbabilities: .concatenated(whole.map(\.logProbabilities), along: 0))
  }
}

/// A policy that cannot be used as asked.
public enum PolicyError: Error, Equatable, CustomStringConvertible {
  /// The file lacks a layer that every actor has.
  case notAnActor(path: String, missing: String)
  /// The file's tensors do not make a network.
  case unfitting(path: String, reason: String)
  /// The file holds no policy of Attune's.
  case notAPolicy(path: String, reason: String)
  /// The file is of a version whose settings had other names.
  case formerVersion(path: String)
  /// The environment is another one than the policy was trained in.
  case sizes(
    environment: String, observation: Int, action: Int, policyObservation: Int,
    policyAction: Int)
  /// The environment has other cameras than the policy was trained with.
  case cameras(environment: String, found: [Camera], expected: [Camera])
  /// The policy is of a robot that is not simulated, and asked to act.
  case noEnvironment
  /// The file holds what was learned on top of a policy, which is not where it was.
  case missingBase(path: String, base: String)
  /// The file holds what was learned on top of a policy, which is another one now.
  case changedBase(path: String, base: String, found: String, expected: String)
  /// Something is asked of a policy of initial noise that only its base can do.
  case noisePolicy(action: String)
  /// The best of several chunks cannot be told without a Q function.
  case noCritic

  /// What is wrong, and what to do.
  public var description: String {
    switch self {
    case .notAnActor(let path, let missing):
      """
      \(path): no tensor '\(missing)', so this is no behaviour policy (an actor of SAC); a diffusion \
      policy is played by 'attune policy evaluate --video'
      """
    case .unfitting(let path, let reason):
      "\(path): not a behaviour policy that Attune knows: \(reason)"
    case .notAPolicy(let path, let reason):
      """
      \(path): not a policy: \(reason); give a checkpoint of 'attune policy pretrain', 'finetune' or \
      'import'
      """
    case .formerVersion(let path):
      """
      \(path): written by Attune \(FormerNames.version), whose settings had other names; train or \
      import the policy anew, rename the keys in 'attune.policy' of its metadata as CHANGELOG.md \
      lists them, or use it with Attune \(FormerNames.version)
      """
    case .sizes(let environment, let observation, let action, let taken, let given):
      """
      the policy takes \(taken) observations and gives \(given) actions, but \
      '\(environment)' has \(observation) and \(action): choose the environment it was trained in
      """
    case .cameras(let environment, let found, let expected):
      """
      the policy sees \(Self.names(expected)), but '\(environment)' has \(Self.names(found)): \
      choose the environment it was trained in
      """
    case .noEnvironment:
      """
      there is nothing to act in: policy.environment.name is 'none'; let the policy act for its own \
      robot by 'attune policy serve', or name one of 'attune environment list' (to play a policy: \
      policy evaluate --environment NAME)
      """
    case .missingBase(let path, let base):
      """
      \(path): steers the policy of \(base), which is not there: put it back, or put a copy of it \
      into the folder of \(path)
      """
    case .changedBase(let path, let base, let found, let expected):
      """
      \(path): steers another policy than \(base) is now (content \(found), expected \(expected)): put \
      back the one that it was trained with, or put a copy of that into the folder of \(path)
      """
    case .noisePolicy(let action):
      """
      a policy of initial noise (algorithm=dsrl) cannot be \(action): do so with the policy that it \
      steers
      """
    case .noCritic:
      """
      the checkpoint has no Q function to choose the best of several chunks by: give one of \
      algorithm=idql, dsrl or another that learns one, or --best-of 1
      """
    }
  }

  private static func names(_ cameras: [Camera]) -> String {
    guard !cameras.isEmpty else { return "no cameras" }
    let sizes = cameras.map { "'\($0.name)' of \($0.width)x\($0.height)x\($0.channelCount)" }
    return "cameras " + sizes.joined(separator: ", ")
  }
}

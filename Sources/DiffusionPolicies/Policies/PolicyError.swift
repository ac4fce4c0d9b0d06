import Environments

/// A policy that cannot be used as asked.
public enum PolicyError: Error, Equatable, CustomStringConvertible {
  /// The file lacks a layer that every actor has.
  case notAnActor(path: String, missing: String)
  /// The file's tensors do not make a network.
  case unfitting(path: String, reason: String)
  /// The file holds no policy of Attune's.
  case notAPolicy(path: String, reason: String)
  /// The environment is another one than the policy was trained in.
  case sizes(
    environment: String, observation: Int, action: Int, policyObservation: Int,
    policyAction: Int)
  /// The environment has other cameras than the policy was trained with.
  case cameras(environment: String, found: [Camera], expected: [Camera])
  /// The policy is of a robot that is not simulated, and asked to act.
  case noEnvironment

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
      there is nothing to act in: policy.environment.name is 'none'; name one of 'attune environment \
      list' (to play a policy: policy evaluate --environment NAME)
      """
    }
  }

  private static func names(_ cameras: [Camera]) -> String {
    guard !cameras.isEmpty else { return "no cameras" }
    let sizes = cameras.map { "'\($0.name)' of \($0.width)x\($0.height)x\($0.channelCount)" }
    return "cameras " + sizes.joined(separator: ", ")
  }
}

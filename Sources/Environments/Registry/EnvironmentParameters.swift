import Configuration

/// The parameters of an environment: settings, each with what it means.
///
/// ```swift
/// struct PendulumParameters: EnvironmentParameters {
///   @Setting(.positive, "steps until an episode is truncated") var timeLimit = 200
///   @Setting(0...100, "metres a second squared") var gravity = 9.81
/// }
/// ```
public protocol EnvironmentParameters: Settings {
  /// Steps until an episode is truncated.
  var timeLimit: Int { get }
}

/// The parameters of an environment that has none of its own.
public struct PlainParameters: EnvironmentParameters {
  /// Steps until an episode is truncated.
  @Setting(1...1_000_000_000, "steps until an episode is truncated") public var timeLimit = 1000

  /// A thousand steps.
  public init() {}
}

struct PushTParameters: EnvironmentParameters {
  @Setting(1...1_000_000_000, "steps until an episode is truncated") var timeLimit = 300
  @Setting(
    "state: agent and block pose; keypoints: nine points on the block, then the agent; pixels: the "
      + "agent, and an image of all")
  var observation = PushTEnvironment.Observation.state
  @Setting(8...1024, "the side of the image of observation=pixels, in pixels") var imageSize = 96
  @Setting("coverage: the covered fraction of the goal, as in the benchmark; progress: its growth")
  var reward = PushTEnvironment.RewardKind.coverage
  @Setting(.finite, "added to the reward of the step that does the task, which ends the episode")
  var successReward = 0.0
  @Setting(0.1...100, "the power to which coverage is paid; above 1 the last pixels are worth more")
  var rewardExponent = 1.0
}

struct LocomotionParameters: EnvironmentParameters {
  @Setting(1...1_000_000_000, "steps until an episode is truncated") var timeLimit = 1000
  @Setting("the version of Gymnasium's rules") var version = LocomotionRules.Version.v4
  @Setting(.finite, "reward for a metre a second forward") var forwardRewardWeight = 1.0
  @Setting(.finite, "cost of the squared action") var controlCostWeight = 1e-3
  @Setting(.finite, "reward of a step that the robot survives") var healthyReward = 1.0
  @Setting("whether a fall ends the episode") var terminatesWhenUnhealthy = true
  @Setting(.notNegative, "size of the disturbance of the initial state") var resetNoiseScale = 5e-3
  @Setting("whether the observation begins with the x coordinate") var observesPosition = false
  @Setting(0...1024, "the side of an image beside the state, in pixels; 0 for none")
  var imageSize = 0

  init() {}

  /// What some rules say.
  init(of rules: LocomotionRules) {
    version = rules.version
    forwardRewardWeight = rules.forwardRewardWeight
    controlCostWeight = rules.controlCostWeight
    healthyReward = rules.healthyReward
    terminatesWhenUnhealthy = rules.terminatesWhenUnhealthy
    resetNoiseScale = rules.resetNoiseScale
    observesPosition = rules.observesPosition
  }

  /// Rules of the version, with what these parameters say.
  func applied(to makeRules: (LocomotionRules.Version) -> LocomotionRules) -> LocomotionRules {
    var rules = makeRules(version)
    rules.forwardRewardWeight = forwardRewardWeight
    rules.controlCostWeight = controlCostWeight
    rules.healthyReward = healthyReward
    rules.terminatesWhenUnhealthy = terminatesWhenUnhealthy
    rules.resetNoiseScale = resetNoiseScale
    rules.observesPosition = observesPosition
    return rules
  }
}

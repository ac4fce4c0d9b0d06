/// What a running robot is rewarded for, when it counts as fallen, and how its episodes begin.
///
/// The numbers are those of Gymnasium's MuJoCo tasks, version 4, unless `version` says otherwise.
public struct LocomotionRules: Equatable, Sendable {
  /// Which of Gymnasium's versions the rules follow where two differ.
  public enum Version: String, Codable, CaseIterable, Sendable {
    /// A robot that falls still gets the healthy reward of its last step.
    case v4
    /// No healthy reward for an unhealthy state; the walker's feet have the same friction.
    case v5
  }

  /// How the velocities of an initial state are drawn.
  public enum VelocityNoise: Sendable {
    /// Uniform in `-resetNoiseScale ..< resetNoiseScale`.
    case uniform
    /// Normal with standard deviation `resetNoiseScale`.
    case normal
  }

  /// Which of Gymnasium's versions these rules follow.
  public var version: Version
  /// Simulation steps in a control step.
  public var frameSkip: Int
  /// Reward for a metre a second forward.
  public var forwardRewardWeight = 1.0
  /// Cost of the squared action.
  public var controlCostWeight: Double
  /// Reward of a step that the robot survives.
  public var healthyReward: Double
  /// Whether an unhealthy state ends the episode.
  public var terminatesWhenUnhealthy: Bool
  /// Torso heights of a healthy robot, both ends excluded.
  public var healthyHeights: ClosedRange<Double> = -.infinity ... .infinity
  /// Torso angles of a healthy robot, both ends excluded.
  public var healthyAngles: ClosedRange<Double> = -.infinity ... .infinity
  /// Where the other positions and all velocities of a healthy robot lie, both ends excluded.
  public var healthyStates: ClosedRange<Double> = -.infinity ... .infinity
  /// Observed velocities are clipped at this magnitude.
  public var velocityLimit = Double.infinity
  /// The size of the disturbance of an initial state.
  public var resetNoiseScale: Double
  /// How initial velocities are drawn.
  public var velocityNoise = VelocityNoise.uniform
  /// Whether the observation begins with the x coordinate.
  public var observesPosition = false

  /// The rules of Hopper.
  public static func hopper(_ version: Version = .v4) -> LocomotionRules {
    LocomotionRules(
      version: version, frameSkip: 4, controlCostWeight: 1e-3, healthyReward: 1,
      terminatesWhenUnhealthy: true, healthyHeights: 0.7 ... .infinity,
      healthyAngles: -0.2...0.2, healthyStates: -100...100, velocityLimit: 10,
      resetNoiseScale: 5e-3)
  }

  /// The rules of Walker2d.
  public static func walker2D(_ version: Version = .v4) -> LocomotionRules {
    LocomotionRules(
      version: version, frameSkip: 4, controlCostWeight: 1e-3, healthyReward: 1,
      terminatesWhenUnhealthy: true, healthyHeights: 0.8...2, healthyAngles: -1...1,
      velocityLimit: 10, resetNoiseScale: 5e-3)
  }

  /// The rules of HalfCheetah, which is never unhealthy.
  public static func halfCheetah(_ version: Version = .v4) -> LocomotionRules {
    LocomotionRules(
      version: version, frameSkip: 5, controlCostWeight: 0.1, healthyReward: 0,
      terminatesWhenUnhealthy: false, resetNoiseScale: 0.1, velocityNoise: .normal)
  }

  /// Whether a robot in this state has neither fallen nor broken loose.
  ///
  /// Numbers that are not finite are never healthy where a rule looks at them.
  func isHealthy(
    positions: UnsafeMutableBufferPointer<Double>, velocities: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    isInside(positions[1], healthyHeights) && isInside(positions[2], healthyAngles)
      && positions.dropFirst(2).allSatisfy { isInside($0, healthyStates) }
      && velocities.allSatisfy { isInside($0, healthyStates) }
  }

  /// The reward for being healthy.
  func healthyReward(isHealthy: Bool) -> Double {
    switch version {
    case .v4: isHealthy || terminatesWhenUnhealthy ? healthyReward : 0
    case .v5: isHealthy ? healthyReward : 0
    }
  }

  private func isInside(_ value: Double, _ range: ClosedRange<Double>) -> Bool {
    (range.lowerBound == -.infinity || value > range.lowerBound)
      && (range.upperBound == .infinity || value < range.upperBound)
  }
}

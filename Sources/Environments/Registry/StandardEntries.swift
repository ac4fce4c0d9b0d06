extension EnvironmentRegistry.Entry {
  static let hopper = locomotion(
    "hopper", "a one-legged robot that hops to the right (MuJoCo)", rules: { .hopper($0) },
    make: { try .hopper($0) })

  static let walker2D = locomotion(
    "walker2d", "a two-legged robot that walks to the right (MuJoCo)", rules: { .walker2D($0) },
    make: { try .walker2D($0) })

  static let halfCheetah = locomotion(
    "half-cheetah", "a planar cheetah that runs to the right (MuJoCo)",
    rules: { .halfCheetah($0) }, make: { try .halfCheetah($0) })

  static let pushT = EnvironmentRegistry.Entry(
    name: "push-t", summary: "push a T-shaped block onto its goal (Chipmunk)",
    parameters: PushTParameters()
  ) { parameters in
    PushTEnvironment(
      observing: parameters.observation, rewardKind: parameters.reward,
      successReward: Float(parameters.successReward), rewardExponent: parameters.rewardExponent)
  }

  private static func locomotion(
    _ name: String, _ summary: String,
    rules makeRules: @escaping @Sendable (LocomotionRules.Version) -> LocomotionRules,
    make: @escaping @Sendable (LocomotionRules) throws -> LocomotionEnvironment
  ) -> EnvironmentRegistry.Entry {
    EnvironmentRegistry.Entry(
      name: name, summary: summary, parameters: LocomotionParameters(of: makeRules(.v4))
    ) { parameters in try make(parameters.applied(to: makeRules)) }
  }
}

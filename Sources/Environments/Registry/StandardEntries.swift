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
    name: "push-t", summary: "push a T-shaped block onto its goal (Chipmunk)", timeLimit: 300,
    parameters: [
      EnvironmentParameterDescription(
        "observation", default: "state",
        choices: PushTEnvironment.Observation.allCases.map(\.rawValue),
        "state: agent and block pose; keypoints: nine points on the block, then the agent"),
      EnvironmentParameterDescription(
        "reward", default: "coverage",
        choices: PushTEnvironment.RewardKind.allCases.map(\.rawValue),
        "coverage: the covered share of the goal, as in the benchmark; progress: its growth"),
      EnvironmentParameterDescription(
        "successReward", default: .number(0),
        "added to the reward of the step that does the task, which ends the episode"),
      EnvironmentParameterDescription(
        "rewardExponent", default: .number(1),
        "the power to which coverage is paid, 0.1 to 100; above 1 the last pixels are worth more"),
    ]
  ) { parameters in
    let exponent = try parameters.number("rewardExponent", expected: "0.1 to 100") {
      (0.1...100).contains($0)
    }
    return PushTEnvironment(
      observing: PushTEnvironment.Observation(rawValue: parameters.text("observation")) ?? .state,
      rewardKind: PushTEnvironment.RewardKind(rawValue: parameters.text("reward")) ?? .coverage,
      successReward: Float(try parameters.number("successReward")), rewardExponent: exponent)
  }

  private static func locomotion(
    _ name: String, _ summary: String,
    rules makeRules: @escaping @Sendable (LocomotionRules.Version) -> LocomotionRules,
    make: @escaping @Sendable (LocomotionRules) throws -> LocomotionEnvironment
  ) -> EnvironmentRegistry.Entry {
    let defaults = makeRules(.v4)
    return EnvironmentRegistry.Entry(
      name: name, summary: summary, timeLimit: 1000,
      parameters: [
        EnvironmentParameterDescription(
          "version", default: "v4", choices: LocomotionRules.Version.allCases.map(\.rawValue),
          "the version of Gymnasium's rules"),
        EnvironmentParameterDescription(
          "forwardRewardWeight", default: .number(defaults.forwardRewardWeight),
          "reward for a metre a second forward"),
        EnvironmentParameterDescription(
          "controlCostWeight", default: .number(defaults.controlCostWeight),
          "cost of the squared action"),
        EnvironmentParameterDescription(
          "healthyReward", default: .number(defaults.healthyReward),
          "reward of a step that the robot survives"),
        EnvironmentParameterDescription(
          "terminatesWhenUnhealthy", default: .flag(defaults.terminatesWhenUnhealthy),
          "whether a fall ends the episode"),
        EnvironmentParameterDescription(
          "resetNoiseScale", default: .number(defaults.resetNoiseScale),
          "size of the disturbance of the initial state"),
        EnvironmentParameterDescription(
          "observesPosition", default: .flag(defaults.observesPosition),
          "whether the observation begins with the x coordinate"),
      ]
    ) { parameters in
      var rules = makeRules(LocomotionRules.Version(rawValue: parameters.text("version")) ?? .v4)
      rules.forwardRewardWeight = try parameters.number("forwardRewardWeight")
      rules.controlCostWeight = try parameters.number("controlCostWeight")
      rules.healthyReward = try parameters.number("healthyReward")
      rules.terminatesWhenUnhealthy = parameters.flag("terminatesWhenUnhealthy")
      rules.resetNoiseScale = try parameters.number(
        "resetNoiseScale", expected: "a number from 0"
      ) { $0 >= 0 && $0.isFinite }
      rules.observesPosition = parameters.flag("observesPosition")
      return try make(rules)
    }
  }
}

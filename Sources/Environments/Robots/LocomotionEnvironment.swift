import Media
import Tensors

/// A planar robot that is to run to the right: Hopper, Walker2d or HalfCheetah on MuJoCo.
///
/// Observation: joint positions without x, then joint velocities. Action: motor signals in [-1, 1].
public final class LocomotionEnvironment: Environment {
  /// `hopper`, `walker2d` or `half-cheetah`.
  public let name: String
  /// Its rewards, its health and its beginnings.
  public let rules: LocomotionRules
  /// Joint positions, then joint velocities; in metres, radians and seconds.
  public let observationSpace: BoxSpace
  /// A signal for each motor; beyond the bounds the motors saturate, the cost does not.
  public let actionSpace: BoxSpace

  private let simulation: MuJoCoSimulation
  /// Made for the first image.
  private var renderer: MuJoCoRenderer?
  private var terms = RewardTerms()
  /// Set when the simulator gave up; from then on the observation is not a number.
  private var isLost = false

  /// What the last reward was made of.
  private struct RewardTerms {
    var velocity = 0.0
    var forward = 0.0
    var control = 0.0
    var healthy = 0.0
  }

  /// Makes a robot from its model.
  ///
  /// - Throws: `EnvironmentError.badModel` if the simulator refuses the model.
  init(name: String, modelText: String, rules: LocomotionRules) throws {
    self.name = name
    self.rules = rules
    let model = try MuJoCoModel.compiled(from: modelText, for: name)
    simulation = MuJoCoSimulation(model)
    let joints = model.jointNames
    let positions = (rules.observesPosition ? joints : Array(joints.dropFirst()))
      .map { "\($0) position" }
    let limit = Float(rules.velocityLimit)
    observationSpace = BoxSpace(
      names: positions + joints.map { "\($0) velocity" },
      lowerBounds: positions.map { _ in -.infinity } + joints.map { _ in -limit },
      upperBounds: positions.map { _ in .infinity } + joints.map { _ in limit })
    let ranges = model.controlRanges
    actionSpace = BoxSpace(
      names: model.actuatorNames.map { "\($0) motor" },
      lowerBounds: ranges.map { Float($0.lowerBound) },
      upperBounds: ranges.map { Float($0.upperBound) })
  }

  /// The one-legged hopper.
  public static func hopper(_ rules: LocomotionRules = .hopper()) throws -> LocomotionEnvironment {
    try LocomotionEnvironment(name: "hopper", modelText: HopperModel.text, rules: rules)
  }

  /// The two-legged walker.
  public static func walker2D(
    _ rules: LocomotionRules = .walker2D()
  ) throws -> LocomotionEnvironment {
    let friction = rules.version == .v4 ? 0.9 : 1.9
    return try LocomotionEnvironment(
      name: "walker2d", modelText: Walker2DModel.text(rightFootFriction: friction), rules: rules)
  }

  /// The half cheetah.
  public static func halfCheetah(
    _ rules: LocomotionRules = .halfCheetah()
  ) throws -> LocomotionEnvironment {
    try LocomotionEnvironment(name: "half-cheetah", modelText: HalfCheetahModel.text, rules: rules)
  }

  /// Seconds in a control step.
  public var stepDuration: Double { simulation.model.timestep * Double(rules.frameSkip) }

  /// Control steps in a second of simulated time.
  public var stepsPerSecond: Double { 1 / stepDuration }

  /// Position, velocity and the terms of the last reward.
  public var info: [String: Double] {
    var info = [
      "xPosition": simulation.positions[0], "xVelocity": terms.velocity,
      "forwardReward": terms.forward, "controlReward": -terms.control,
    ]
    if rules.healthyReward != 0 { info["healthyReward"] = terms.healthy }
    if rules.version == .v5 {
      info["heightAboveStart"] =
        simulation.positions[1] - simulation.model.restingPositions[1]
    }
    return info
  }

  /// Joint positions, x first, then joint velocities.
  public var startingStateNames: [String] {
    let joints = simulation.model.jointNames
    return joints.map { "\($0) position" } + joints.map { "\($0) velocity" }
  }

  /// Starts an episode; a seed disturbs the resting state a little.
  public func reset(_ start: EpisodeStart) {
    switch start {
    case .seed(let seed):
      let (positions, velocities) = randomState(seed: seed)
      reset(positions: positions, velocities: velocities)
    case .state(let state):
      checkStartingState(state)
      let positionCount = simulation.model.positionCount
      reset(
        positions: Array(state.prefix(positionCount)),
        velocities: Array(state.dropFirst(positionCount)))
    }
  }

  private func randomState(seed: UInt64) -> (positions: [Double], velocities: [Double]) {
    var random = RandomStream(seed: seed, purpose: name)
    let noise = rules.resetNoiseScale
    let positions = simulation.model.restingPositions.map {
      $0 + random.uniform(from: -noise, to: noise)
    }
    let velocities = (0..<simulation.model.velocityCount).map { _ in
      switch rules.velocityNoise {
      case .uniform: random.uniform(from: -noise, to: noise)
      case .normal: noise * random.standardNormal()
      }
    }
    return (positions, velocities)
  }

  private func reset(positions: [Double], velocities: [Double]) {
    simulation.reset()
    _ = simulation.positions.update(fromContentsOf: positions)
    _ = simulation.velocities.update(fromContentsOf: velocities)
    simulation.update()
    terms = RewardTerms()
    isLost = simulation.hasDiverged
  }

  /// Holds the motor signals for a control step.
  public func step(_ action: UnsafeBufferPointer<Float>) -> StepOutcome {
    precondition(
      action.count == actionSpace.count,
      "\(name) takes actions of shape \(actionSpace.shape), not \(action.count) elements")
    let start = simulation.positions[0]
    var squaredAction: Float = 0
    for (index, signal) in action.enumerated() {
      simulation.controls[index] = Double(signal)
      squaredAction += signal * signal
    }
    simulation.step(count: rules.frameSkip)
    isLost = isLost || simulation.hasDiverged

    let isHealthy =
      !isLost
      && rules.isHealthy(positions: simulation.positions, velocities: simulation.velocities)
    terms.velocity = (simulation.positions[0] - start) / stepDuration
    terms.forward = rules.forwardRewardWeight * terms.velocity
    terms.control = rules.controlCostWeight * Double(squaredAction)
    terms.healthy = rules.healthyReward(isHealthy: isHealthy)
    let reward = terms.forward + terms.healthy - terms.control
    return StepOutcome(
      reward: isLost ? .nan : Float(reward),
      isTerminated: !isHealthy && rules.terminatesWhenUnhealthy)
  }

  /// Writes positions and velocities; not-a-number once the simulator gave up.
  public func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    precondition(
      observation.count == observationSpace.count,
      "\(name) observes \(observationSpace.shape), not \(observation.count) elements")
    guard !isLost else { return observation.update(repeating: .nan) }
    var index = 0
    for position in simulation.positions.dropFirst(rules.observesPosition ? 0 : 1) {
      observation[index] = Float(position)
      index += 1
    }
    for velocity in simulation.velocities {
      // Written so that a value that is no number stays one, as it does in NumPy's clip.
      let limit = rules.velocityLimit
      observation[index] = Float(velocity > limit ? limit : velocity < -limit ? -limit : velocity)
      index += 1
    }
  }

  /// Appends time, positions, velocities, signals and the solver's warm start.
  public func save(to state: inout EnvironmentState) {
    state.appendTag(name)
    simulation.save(to: &state)
    state.append(isLost)
    state.append(contentsOf: [terms.velocity, terms.forward, terms.control, terms.healthy])
  }

  /// Takes back a saved state, exactly.
  public func restore(from reader: inout EnvironmentState.Reader) throws {
    try reader.readTag(name)
    try simulation.restore(from: &reader)
    isLost = try reader.readFlag()
    let values = try reader.readDoubles(expectedCount: 4)
    terms = RewardTerms(
      velocity: values[0], forward: values[1], control: values[2], healthy: values[3])
  }

  /// Draws the robot from the side; the camera follows it.
  public func render(width: Int, height: Int) throws -> Image {
    simulation.updatePoses()
    return try renderer(width: width, height: height).draw(simulation)
  }

  private func renderer(width: Int, height: Int) throws -> MuJoCoRenderer {
    if let renderer, renderer.width == width, renderer.height == height { return renderer }
    let renderer = try MuJoCoRenderer(
      model: simulation.model, width: width, height: height, environment: name)
    self.renderer = renderer
    return renderer
  }
}

import Foundation
import Media
import Tensors

/// Push a T-shaped block onto a painted one, as in the benchmark of Diffusion Policy (Chi et al.,
/// 2023): a 512 x 512 plane, a round agent that follows a target, ten decisions a second.
///
/// Action: the target's x and y. Reward: the covered fraction of the goal over 0.95, at most 1;
/// covering more than 0.95 is success and ends the episode.
public final class PushTEnvironment: ReplayedEnvironment {
  /// What an agent sees of the state.
  public enum Observation: String, Codable, CaseIterable, Sendable {
    /// Agent x and y, block x and y, block angle in [0, 2 pi).
    case state
    /// Nine points on the block, x and y each, then agent x and y: the order of the benchmark.
    case keypoints
    /// Agent x and y; the block is seen by a camera, as in the benchmark's image policies.
    case pixels
  }

  /// What a step is paid for.
  public enum RewardKind: String, Codable, CaseIterable, Sendable {
    /// The covered fraction of the goal: the benchmark's, which pays for staying near the goal as
    /// well.
    case coverage
    /// How much the covered fraction grew: an episode's sum is what was covered at its end.
    case progress
  }

  /// `push-t`
  public let name = "push-t"
  /// `[5]`, `[20]` with keypoints, `[2]` with pixels; in pixels of the 512 x 512 plane, y down.
  public let observationSpace: BoxSpace
  /// The target's x and y, `[2]`; targets outside the bounds are followed too.
  public let actionSpace = BoxSpace(names: ["target x", "target y"], bounds: 0...512)
  /// Decisions in a second; the physics makes ten steps in each.
  public let stepsPerSecond = 10.0
  /// The covered fraction of the goal above which the task is done.
  public static let successCoverage = 0.95

  /// Added to the reward of the step that does the task, which ends the episode: what the rest of
  /// it would have been worth. Without it an agent that maximizes its return had better never be
  /// done.
  public let successReward: Float
  /// What is covered counts to this power: above 1, the last pixels are worth more than the first.
  ///
  /// Going from 90% to 100% earns 10% of the reward at exponent 1, and 47% of it at exponent 6.
  public let rewardExponent: Double
  private let kind: Observation
  private let rewardKind: RewardKind
  private var simulation = PushTSimulation()
  /// The covered fraction of the goal.
  public private(set) var coverage = 0.0
  /// The maximum of the benchmark's rewards in the episode; none before its first step.
  private var bestTaskReward = -Double.infinity
  private var isLost = false

  /// The exact state is the way to it: Chipmunk's contacts keep hidden memory (impulses, search
  /// starts, the order of its trees). Replaying takes about 40 microseconds a step.
  public private(set) var history = EpisodeHistory(from: .seed(0))

  /// - Parameters:
  ///   - kind: what an agent sees.
  ///   - rewardKind: what a step is paid for.
  ///   - successReward: added to the reward of the step that does the task; 0 in the benchmark.
  ///   - rewardExponent: the power to which coverage is paid, above 0; 1 in the benchmark.
  public init(
    observing kind: Observation = .state, rewardKind: RewardKind = .coverage,
    successReward: Float = 0, rewardExponent: Double = 1
  ) {
    precondition(rewardExponent > 0, "a reward to the power of \(rewardExponent)")
    self.kind = kind
    self.rewardKind = rewardKind
    self.successReward = successReward
    self.rewardExponent = rewardExponent
    // Nothing holds positions in the plane: keypoints stick out of a block at its edge, and an
    // agent that no force stops can squeeze the block through a wall.
    let everywhere: ClosedRange<Float> = -.infinity ... .infinity
    switch kind {
    case .state:
      let positions = BoxSpace(names: Array(startingStateNames.prefix(4)), bounds: everywhere)
      observationSpace = BoxSpace(
        names: startingStateNames, lowerBounds: positions.lowerBounds + [0],
        upperBounds: positions.upperBounds + [2 * .pi])
    case .keypoints:
      let names = PushTGeometry.keypoints.indices.flatMap {
        ["keypoint \($0) x", "keypoint \($0) y"]
      }
      observationSpace = BoxSpace(names: names + ["agent x", "agent y"], bounds: everywhere)
    case .pixels:
      observationSpace = BoxSpace(names: ["agent x", "agent y"], bounds: everywhere)
    }
    reset(.seed(0))
  }

  /// Agent x and y, block x and y, block angle as it is, not wrapped.
  public var state: [Double] {
    let (agent, block) = (simulation.agentPosition, simulation.blockPose)
    return [agent.x, agent.y, block.position.x, block.position.y, block.angle]
  }

  /// The covered fraction of the goal, whether that is success (1 or 0), and after a step the
  /// greatest of the benchmark's rewards so far, whatever `rewardKind`, `successReward` and
  /// `rewardExponent` pay.
  public var info: [String: Double] {
    var info = [
      "coverage": coverage, "isSuccess": coverage > PushTEnvironment.successCoverage ? 1 : 0,
    ]
    if bestTaskReward.isFinite { info["bestTaskReward"] = bestTaskReward }
    return info
  }

  /// A demonstration's state; the block's angle need not be wrapped.
  public let startingStateNames = ["agent x", "agent y", "block x", "block y", "block angle"]

  /// Starts an episode; a seed places agent and block at random whole pixels.
  public func reset(_ start: EpisodeStart) {
    history.begin(from: start)
    switch start {
    case .seed(let seed):
      var random = RandomStream(seed: seed, purpose: name)
      reset(to: [
        Double(50 + random.integer(below: 400)), Double(50 + random.integer(below: 400)),
        Double(100 + random.integer(below: 300)), Double(100 + random.integer(below: 300)),
        random.standardNormal() * 2 * .pi - .pi,
      ])
    case .state(let state):
      checkStartingState(state)
      reset(to: state)
    }
  }

  private func reset(to state: [Double]) {
    // A new plane: the old one remembers contacts.
    simulation = PushTSimulation()
    coverage = 0
    bestTaskReward = -.infinity
    isLost = !state.allSatisfy(\.isFinite)
    guard !isLost else { return }
    simulation.place(
      agent: SIMD2(state[0], state[1]),
      block: PushTGeometry.Pose(position: SIMD2(state[2], state[3]), angle: state[4]))
    coverage = PushTGeometry.coverage(of: simulation.blockPose)
  }

  /// Lets the agent follow a target for a tenth of a second.
  public func step(_ action: UnsafeBufferPointer<Float>) -> StepOutcome {
    precondition(
      action.count == 2, "push-t takes actions of shape [2], not \(action.count) elements")
    history.append(action)
    isLost = isLost || !action.allSatisfy(\.isFinite)
    // Chipmunk stops the program when a position is no number.
    guard !isLost else { return StepOutcome(reward: .nan) }
    simulation.advance(towards: SIMD2(Double(action[0]), Double(action[1])))
    isLost = !state.allSatisfy(\.isFinite)
    guard !isLost else { return StepOutcome(reward: .nan) }
    let before = reward(covering: coverage)
    coverage = PushTGeometry.coverage(of: simulation.blockPose)
    let isDone = coverage > PushTEnvironment.successCoverage
    let covering = reward(covering: coverage)
    bestTaskReward = max(bestTaskReward, Double(Float(Self.taskReward(covering: coverage))))
    let reward = Float(rewardKind == .coverage ? covering : covering - before)
    return StepOutcome(reward: isDone ? reward + successReward : reward, isTerminated: isDone)
  }

  private func reward(covering fraction: Double) -> Double {
    pow(Self.taskReward(covering: fraction), rewardExponent)
  }

  /// The benchmark's reward.
  private static func taskReward(covering fraction: Double) -> Double {
    min(max(fraction / successCoverage, 0), 1)
  }

  /// Writes the state or the keypoints; not-a-number once something was not finite.
  public func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    precondition(
      observation.count == observationSpace.count,
      "push-t observes \(observationSpace.shape), not \(observation.count) elements")
    guard !isLost else { return observation.update(repeating: .nan) }
    let (agent, block) = (simulation.agentPosition, simulation.blockPose)
    switch kind {
    case .state:
      write(agent, to: observation, at: 0)
      write(block.position, to: observation, at: 2)
      let turn = block.angle.truncatingRemainder(dividingBy: 2 * .pi)
      observation[4] = Float(turn < 0 ? turn + 2 * .pi : turn)
    case .keypoints:
      for (index, point) in PushTGeometry.keypoints.enumerated() {
        write(block(point), to: observation, at: 2 * index)
      }
      write(agent, to: observation, at: 2 * PushTGeometry.keypoints.count)
    case .pixels: write(agent, to: observation, at: 0)
    }
  }

  /// Draws the plane from above, y down, with smooth edges.
  public func render(width: Int, height: Int) throws -> Image {
    let (agent, block) = (simulation.agentPosition, simulation.blockPose)
    return PushTDrawing.image(width: width, height: height, agent: agent, block: block)
  }

  private func write(
    _ point: SIMD2<Double>, to observation: UnsafeMutableBufferPointer<Float>, at index: Int
  ) {
    observation[index] = Float(point.x)
    observation[index + 1] = Float(point.y)
  }
}

/// The image of a Push-T state, in the colors of the benchmark.
enum PushTDrawing {
  typealias Point = SIMD2<Double>

  private static let lightGreen = Color(0x90EE90)
  private static let lightGray = Color(0xD3D3D3)
  private static let royalBlue = Color(0x4169E1)
  private static let slateGray = Color(0x778899)

  static func image(width: Int, height: Int, agent: Point, block: PushTGeometry.Pose) -> Image {
    let canvas = Canvas(
      width: width, height: height, size: Point(repeating: PushTGeometry.planeSize))
    canvas.fill(PushTGeometry.goalParts, color: lightGreen)
    for (start, end) in PushTGeometry.walls {
      canvas.stroke([start, end], width: 2 * PushTGeometry.wallRadius, color: lightGray)
    }
    canvas.fillDisc(center: agent, radius: PushTGeometry.agentRadius, color: royalBlue)
    canvas.fillDisc(center: agent, radius: PushTGeometry.agentRadius - 4, color: light(royalBlue))
    for part in [PushTGeometry.bar, PushTGeometry.stem] {
      let vertices = part.map { block($0) }
      canvas.fill([vertices], color: light(slateGray))
      canvas.stroke(vertices, width: 4, color: slateGray, isClosed: true)
    }
    return canvas.image
  }

  /// A fifth brighter, as pymunk fills shapes.
  private static func light(_ color: Color) -> Color {
    func brighter(_ component: UInt8) -> UInt8 {
      UInt8(min(1.2 * Double(component), 255).rounded())
    }
    return Color(
      red: brighter(color.red), green: brighter(color.green), blue: brighter(color.blue))
  }
}

import CChipmunk
import Glibc

/// The Push-T plane in Chipmunk: four walls, a round agent that no force moves, and the block.
final class PushTSimulation {
  typealias Point = SIMD2<Double>

  private let space: OpaquePointer
  private let agent: OpaquePointer
  private let block: OpaquePointer
  private var shapes: [OpaquePointer] = []

  /// Seconds in a physics step.
  private static let timestep = 0.01
  private static let stepsPerControl = 10
  /// Gains of the controller that draws the agent to its target.
  private static let (stiffness, damping) = (100.0, 20.0)

  /// Sets the plane up as the benchmark does, in the same order: the order of bodies and shapes
  /// decides the order in which Chipmunk solves contacts.
  init() {
    _ = PushTSimulation.libraryHasGreeted
    space = cpSpaceNew()
    cpSpaceSetGravity(space, cpVect(x: 0, y: 0))
    // Everything stops at once when nothing pushes.
    cpSpaceSetDamping(space, 0)

    agent = cpBodyNewKinematic()
    let mass = 1.0
    // The benchmark counts the bar's inertia twice, and none for the stem.
    let inertia = PushTSimulation.withVectors(PushTGeometry.bar) { vertices, count in
      cpMomentForPoly(mass, count, vertices, cpVect(x: 0, y: 0), 0)
    }
    block = cpBodyNew(mass, inertia + inertia)

    for (start, end) in PushTGeometry.walls {
      add(
        cpSegmentShapeNew(
          cpSpaceGetStaticBody(space), cpVect(start), cpVect(end), PushTGeometry.wallRadius))
    }

    cpBodySetPosition(agent, cpVect(x: 256, y: 400))
    cpSpaceAddBody(space, agent)
    add(cpCircleShapeNew(agent, PushTGeometry.agentRadius, cpVect(x: 0, y: 0)))

    let parts = [PushTGeometry.bar, PushTGeometry.stem].map { part in
      PushTSimulation.withVectors(part) { vertices, count in
        cpPolyShapeNew(block, count, vertices, .identity, 0)
      }
    }
    let centers = parts.map { Point(cpShapeGetCenterOfGravity($0)) }
    cpBodySetCenterOfGravity(block, cpVect((centers[0] + centers[1]) / 2))
    cpBodySetPosition(block, cpVect(x: 256, y: 300))
    cpBodySetAngle(block, 0)
    cpSpaceAddBody(space, block)
    for part in parts { add(part) }
  }

  deinit {
    for shape in shapes {
      cpSpaceRemoveShape(space, shape)
      cpShapeFree(shape)
    }
    for body in [agent, block] {
      cpSpaceRemoveBody(space, body)
      cpBodyFree(body)
    }
    cpSpaceFree(space)
  }

  var agentPosition: Point { Point(cpBodyGetPosition(agent)) }

  var blockPose: PushTGeometry.Pose {
    PushTGeometry.Pose(
      position: Point(cpBodyGetPosition(block)), angle: cpBodyGetAngle(block))
  }

  /// Puts agent and block in their places and lets contacts settle for one physics step.
  func place(agent position: Point, block pose: PushTGeometry.Pose) {
    cpBodySetPosition(agent, cpVect(position))
    // The angle turns the block about its centre of mass, which moves its origin.
    cpBodySetAngle(block, pose.angle)
    cpBodySetPosition(block, cpVect(pose.position))
    cpSpaceStep(space, PushTSimulation.timestep)
  }

  /// Draws the agent towards a target for one control step.
  func advance(towards target: Point) {
    for _ in 0..<PushTSimulation.stepsPerControl {
      let velocity = Point(cpBodyGetVelocity(agent))
      let acceleration =
        PushTSimulation.stiffness * (target - agentPosition)
        + PushTSimulation.damping * (Point.zero - velocity)
      cpBodySetVelocity(agent, cpVect(velocity + acceleration * PushTSimulation.timestep))
      cpSpaceStep(space, PushTSimulation.timestep)
    }
  }

  /// Debian's Chipmunk prints a greeting with the first space that it makes; standard output is for
  /// results, so that one goes nowhere.
  private static let libraryHasGreeted: Bool = {
    fflush(nil)
    let output = dup(STDOUT_FILENO)
    let nowhere = open("/dev/null", O_WRONLY)
    if output >= 0, nowhere >= 0 { dup2(nowhere, STDOUT_FILENO) }
    cpSpaceFree(cpSpaceNew())
    fflush(nil)
    if output >= 0, nowhere >= 0 { dup2(output, STDOUT_FILENO) }
    for file in [output, nowhere] where file >= 0 { close(file) }
    return true
  }()

  private func add(_ shape: OpaquePointer?) {
    guard let shape else { fatalError("Chipmunk: out of memory") }
    cpSpaceAddShape(space, shape)
    shapes.append(shape)
  }

  private static func withVectors<Result>(
    _ points: [Point], _ body: (UnsafePointer<cpVect>, Int32) -> Result
  ) -> Result {
    let vectors = points.map { cpVect($0) }
    return body(vectors, Int32(vectors.count))
  }
}

extension cpVect {
  fileprivate init(_ point: SIMD2<Double>) { self.init(x: point.x, y: point.y) }
}

extension SIMD2<Double> {
  fileprivate init(_ vector: cpVect) { self.init(vector.x, vector.y) }
}

extension cpTransform {
  fileprivate static let identity = cpTransform(a: 1, b: 0, c: 0, d: 1, tx: 0, ty: 0)
}

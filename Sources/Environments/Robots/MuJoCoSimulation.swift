import CMuJoCo

/// One simulated world: a model and its changing state.
final class MuJoCoSimulation {
  let model: MuJoCoModel
  private let data: UnsafeMutablePointer<mjData>

  init(_ model: MuJoCoModel) {
    self.model = model
    guard let data = mj_makeData(model.pointer) else {
      fatalError("MuJoCo: out of memory")
    }
    self.data = data
  }

  deinit { mj_deleteData(data) }

  /// Joint positions.
  var positions: UnsafeMutableBufferPointer<Double> {
    UnsafeMutableBufferPointer(start: data.pointee.qpos, count: model.positionCount)
  }

  /// Joint velocities.
  var velocities: UnsafeMutableBufferPointer<Double> {
    UnsafeMutableBufferPointer(start: data.pointee.qvel, count: model.velocityCount)
  }

  /// What the actuators are told.
  var controls: UnsafeMutableBufferPointer<Double> {
    UnsafeMutableBufferPointer(start: data.pointee.ctrl, count: model.controlCount)
  }

  /// Where the constraint solver starts its search: the last accelerations.
  private var warmStart: UnsafeMutableBufferPointer<Double> {
    UnsafeMutableBufferPointer(start: data.pointee.qacc_warmstart, count: model.velocityCount)
  }

  /// Puts the world at time 0, at rest.
  func reset() { mj_resetData(model.pointer, data) }

  /// Computes what follows from positions and velocities that were set from outside.
  func update() { mj_forward(model.pointer, data) }

  /// Advances by `count` simulation steps.
  func step(count: Int) {
    for _ in 0..<count { mj_step(model.pointer, data) }
  }

  /// Whether the simulator found numbers that are not finite or huge since the last reset.
  ///
  /// It then goes on from the model's resting state as if nothing had happened.
  var hasDiverged: Bool {
    [mjWARN_BADQPOS, mjWARN_BADQVEL, mjWARN_BADQACC, mjWARN_BADCTRL].contains { warning in
      // Swift sees a C array as a tuple, which lies in memory just as the array does.
      withUnsafePointer(to: &data.pointee.warning) { warnings in
        UnsafeRawPointer(warnings).assumingMemoryBound(to: mjWarningStat.self)[
          Int(warning.rawValue)
        ].number > 0
      }
    }
  }

  /// Brings bodies, cameras and lights to where the joints are, without a trace in the dynamics.
  func updatePoses() {
    mj_kinematics(model.pointer, data)
    mj_comPos(model.pointer, data)
    mj_camlight(model.pointer, data)
  }

  /// Fills a scene with the world's shapes as a camera sees them, by a copy of the model that is
  /// simulated.
  func update(
    _ scene: UnsafeMutablePointer<mjvScene>, drawing model: MuJoCoModel,
    camera: UnsafeMutablePointer<mjvCamera>,
    options: UnsafePointer<mjvOption>
  ) {
    mjv_updateScene(
      model.pointer, data, options, nil, camera, Int32(mjCAT_ALL.rawValue), scene)
  }

  /// Appends all that the next step depends on.
  func save(to state: inout EnvironmentState) {
    state.append(data.pointee.time)
    state.append(contentsOf: positions)
    state.append(contentsOf: velocities)
    state.append(contentsOf: controls)
    state.append(contentsOf: warmStart)
  }

  /// Takes back what `save` wrote.
  func restore(from reader: inout EnvironmentState.Reader) throws {
    let time = try reader.readDouble()
    let parts = [positions, velocities, controls, warmStart]
    let values = try parts.map { try reader.readDoubles(expectedCount: $0.count) }
    reset()
    data.pointee.time = time
    for (part, values) in zip(parts, values) { _ = part.update(fromContentsOf: values) }
  }
}

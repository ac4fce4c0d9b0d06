// The library's two callbacks are global variables; they are set once, under a lock.
@preconcurrency import CMuJoCo
import Synchronization

/// A compiled MuJoCo model, shared by all simulations of it.
///
/// `@unchecked Sendable`: nothing writes to a shared model after it is compiled. What has to change
/// one, as a renderer does, copies it.
final class MuJoCoModel: @unchecked Sendable {
  let pointer: UnsafeMutablePointer<mjModel>

  private static let cache = Mutex<[String: MuJoCoModel]>([:])

  /// Compiles a model, or gives the one already compiled from the same text.
  ///
  /// - Throws: `EnvironmentError.badModel` with the compiler's words.
  static func compiled(from text: String, for environment: String) throws -> MuJoCoModel {
    try cache.withLock { cache in
      if let model = cache[text] { return model }
      let model = try MuJoCoModel(text: text, environment: environment)
      cache[text] = model
      return model
    }
  }

  private init(text: String, environment: String) throws {
    MuJoCoModel.silenceLibrary()
    // The compiler reads files, or memory that takes the form of one.
    let files = UnsafeMutablePointer<mjVFS>.allocate(capacity: 1)
    defer { files.deallocate() }
    mj_defaultVFS(files)
    defer { mj_deleteVFS(files) }
    let bytes = Array(text.utf8)
    guard mj_makeEmptyFileVFS(files, "model.xml", Int32(bytes.count)) == 0 else {
      throw EnvironmentError.badModel(environment: environment, reason: "no memory for its text")
    }
    // Swift sees a C array as a tuple, which lies in memory just as the array does.
    withUnsafePointer(to: &files.pointee.filedata) { contents in
      UnsafeRawPointer(contents).assumingMemoryBound(to: UnsafeMutableRawPointer.self)[0]
        .copyMemory(from: bytes, byteCount: bytes.count)
    }
    var message = [CChar](repeating: 0, count: 1000)
    guard
      let pointer = mj_loadXML("model.xml", files, &message, Int32(message.count))
    else {
      let reason = String(
        decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw EnvironmentError.badModel(environment: environment, reason: reason)
    }
    self.pointer = pointer
  }

  /// A model of its own, for what changes it.
  init(copying model: MuJoCoModel) {
    guard let copy = mj_copyModel(nil, model.pointer) else {
      preconditionFailure("no memory for a model of \(model.pointer.pointee.nbuffer) bytes")
    }
    pointer = copy
  }

  deinit { mj_deleteModel(pointer) }

  /// The number of position coordinates.
  var positionCount: Int { Int(pointer.pointee.nq) }
  /// The number of velocity coordinates.
  var velocityCount: Int { Int(pointer.pointee.nv) }
  /// The number of controls.
  var controlCount: Int { Int(pointer.pointee.nu) }
  /// Seconds in a simulation step.
  var timestep: Double { pointer.pointee.opt.timestep }

  /// The names of the joints, in the order of the positions of a model with hinges and slides only.
  var jointNames: [String] {
    (0..<pointer.pointee.njnt).map { name(of: mjOBJ_JOINT, index: $0) }
  }

  /// The names of the actuators, in the order of the controls.
  var actuatorNames: [String] {
    (0..<pointer.pointee.nu).map { name(of: mjOBJ_ACTUATOR, index: $0) }
  }

  /// The positions of the model at rest.
  var restingPositions: UnsafeBufferPointer<Double> {
    UnsafeBufferPointer(start: pointer.pointee.qpos0, count: positionCount)
  }

  /// The range of each control.
  var controlRanges: [ClosedRange<Double>] {
    (0..<controlCount).map { index in
      let range = pointer.pointee.actuator_ctrlrange + 2 * index
      return range[0]...range[1]
    }
  }

  private func name(of kind: mjtObj, index: Int32) -> String {
    mj_id2name(pointer, Int32(kind.rawValue), index).map { String(cString: $0) } ?? "\(index)"
  }

  /// Left alone, the library writes warnings to a file in the working directory, and waits for the
  /// Enter key after an error.
  private static func silenceLibrary() {
    _ = callbacksAreSet
  }

  private static let callbacksAreSet: Bool = {
    // A simulation looks at its own warning counts after each step.
    mju_user_warning = { _ in }
    mju_user_error = { message in
      fatalError("MuJoCo: \(message.map { String(cString: $0) } ?? "unknown error")")
    }
    return true
  }()
}

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

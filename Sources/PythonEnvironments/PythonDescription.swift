import Environments
import Media
import Programs

/// What a worker says of an environment that it made.
struct PythonEnvironmentDescription: Decodable, Equatable {
  struct CameraDescription: Decodable, Equatable {
    let name: String
    /// `[H, W, C]`
    let shape: [Int]
  }

  /// Where the parts of its memory begin, in bytes: those of up to `slots` steps one after another.
  struct Layout: Decodable, Equatable {
    let action: Int
    let observation: Int
    let reward: Int
    let info: Int
    let flags: Int
    /// The number of executed steps; at 8, whether a row takes part; at 16, its seed.
    let control: Int
    /// Of each camera.
    let images: [Int]
    let slots: Int
    /// From a row of a batch to the next one.
    let stride: Int
    let end: Int
  }

  /// Of the worker's program; nil of one that was written before there was one.
  let protocolVersion: Int?
  /// Of the observation's numbers, `[Do]`.
  let names: [String]
  /// Of the numbers, null where there is none.
  let low: [Double?]
  let high: [Double?]
  let cameras: [CameraDescription]
  let actionLow: [Double]
  let actionHigh: [Double]
  let stepsPerSecond: Double
  let timeLimit: Int?
  let renderModes: [String]
  let layout: Layout
  /// Whether it has `get_state` and `set_state`.
  let hasState: Bool
  /// Of Python and the packages that are loaded.
  let versions: [String: String]

  /// What cannot be right.
  func problem(memorySize: Int, rows: Int) -> String? {
    let starts = [
      layout.action, layout.observation, layout.reward, layout.info, layout.flags, layout.control,
    ]
    let images = zip(layout.images, cameras).allSatisfy { start, camera in
      camera.shape.count == 3 && camera.shape.allSatisfy { (1...65_536).contains($0) }
        && start >= 0 && start + camera.shape.reduce(layout.slots, *) <= layout.end
    }
    guard low.count == names.count, high.count == names.count,
      layout.images.count == cameras.count, actionLow.count == actionHigh.count,
      (1...1024).contains(layout.slots), images,
      starts.allSatisfy({ $0 >= 0 && $0 < layout.end && $0.isMultiple(of: 64) }),
      layout.observation + 4 * names.count * layout.slots <= layout.end,
      layout.stride > 0, layout.end <= memorySize,
      layout.end + layout.stride * (rows - 1) <= memorySize
    else { return "its description contradicts itself" }
    if actionLow.isEmpty { return "its actions have no elements" }
    if names.isEmpty {
      return "its observation has images only: give it a number, such as the gripper's opening"
    }
    if !(stepsPerSecond > 0 && stepsPerSecond.isFinite) {
      return "it makes \(stepsPerSecond) steps in a second"
    }
    return nil
  }

  var observationSpace: BoxSpace {
    BoxSpace(
      names: names, lowerBounds: low.map { Float($0 ?? -.infinity) },
      upperBounds: high.map { Float($0 ?? .infinity) })
  }

  var actionSpace: BoxSpace {
    BoxSpace(
      names: actionLow.indices.map { "action[\($0)]" }, lowerBounds: actionLow.map { Float($0) },
      upperBounds: actionHigh.map { Float($0) })
  }

  var mediaCameras: [Camera] {
    cameras.map {
      Camera(name: $0.name, width: $0.shape[1], height: $0.shape[0], channelCount: $0.shape[2])
    }
  }
}

/// What a step was, in a byte.
struct PythonStepFlags: OptionSet {
  let rawValue: UInt8
  static let terminated = PythonStepFlags(rawValue: 1)
  static let truncated = PythonStepFlags(rawValue: 2)
  static let successIsKnown = PythonStepFlags(rawValue: 4)
  static let success = PythonStepFlags(rawValue: 8)
  /// Of a batch's rows: the step was a reset.
  static let started = PythonStepFlags(rawValue: 16)
  /// Of a batch's rows: the reset comes with the next step.
  static let stale = PythonStepFlags(rawValue: 32)
}

/// The memory of an environment, as `worker.py` lays it out.
struct PythonMemory {
  private let memory: SharedMemory
  private let description: PythonEnvironmentDescription
  private let offset: Int
  private let infoKeys: [String]

  /// - Parameters:
  ///   - row: of a batch; 0 for an environment of its own.
  ///   - infoKeys: the parts of the info that are carried over.
  init(
    _ memory: SharedMemory, _ description: PythonEnvironmentDescription, row: Int = 0,
    infoKeys: [String]
  ) {
    self.memory = memory
    self.description = description
    self.infoKeys = infoKeys
    offset = row * description.layout.stride
  }

  private func address(_ start: Int) -> UnsafeMutableRawPointer {
    // Its size is not zero, and a description is checked to lie in it.
    memory.bytes.baseAddress.unsafelyUnwrapped + offset + start
  }

  /// The float32 numbers of a slot. Mapped memory has no type of its own.
  private func floats(_ start: Int, count: Int, slot: Int) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(
      start: address(start + 4 * count * slot).assumingMemoryBound(to: Float.self), count: count)
  }

  /// Where the action of a step belongs.
  func action(_ slot: Int) -> UnsafeMutableBufferPointer<Float> {
    floats(description.layout.action, count: description.actionLow.count, slot: slot)
  }

  /// The numbers of the observation after a step.
  func observation(_ slot: Int) -> UnsafeMutableBufferPointer<Float> {
    floats(description.layout.observation, count: description.names.count, slot: slot)
  }

  /// How many steps a request came to.
  var executed: Int { Int(address(description.layout.control).load(as: Int32.self)) }

  /// Whether a row is part of the next request.
  func setTakesPart(_ value: Bool) {
    address(description.layout.control + 8).storeBytes(of: value ? 1 : 0, as: UInt8.self)
  }

  /// The seed of a row's next episode.
  func setSeed(_ seed: UInt64) {
    address(description.layout.control + 16).storeBytes(of: seed, as: UInt64.self)
  }

  func flags(_ slot: Int) -> PythonStepFlags {
    PythonStepFlags(
      rawValue: address(description.layout.flags + slot).load(as: UInt8.self))
  }

  func setFlags(_ flags: PythonStepFlags) {
    address(description.layout.flags).storeBytes(of: flags.rawValue, as: UInt8.self)
  }

  /// What a step came to.
  func outcome(_ slot: Int) -> StepOutcome {
    let flags = flags(slot)
    let reward = address(description.layout.reward + 8 * slot).load(as: Double.self)
    return StepOutcome(
      reward: Float(reward), isTerminated: flags.contains(.terminated),
      isTruncated: flags.contains(.truncated))
  }

  /// The numbers of a step's info, in the order of the keys; not-a-number where it had none.
  func infoValues(_ slot: Int) -> [Double] {
    infoKeys.indices.map { index in
      address(description.layout.info + 8 * (slot * infoKeys.count + index)).load(as: Double.self)
    }
  }

  func setInfoValues(_ values: [Double]) {
    for (index, value) in values.enumerated() {
      address(description.layout.info + 8 * index).storeBytes(of: value, as: Double.self)
    }
  }

  /// The measurements of a step.
  func info(_ slot: Int) -> [String: Double] {
    var info: [String: Double] = [:]
    for (key, value) in zip(infoKeys, infoValues(slot)) where !value.isNaN { info[key] = value }
    let flags = flags(slot)
    if flags.contains(.successIsKnown) { info["isSuccess"] = flags.contains(.success) ? 1 : 0 }
    return info
  }

  /// The images after a step, one of each camera.
  func images(_ slot: Int) -> [[Image]] {
    zip(description.mediaCameras, description.layout.images).map { camera, start in
      let count = camera.shape.reduce(1, *)
      let bytes = UnsafeRawBufferPointer(start: address(start + slot * count), count: count)
      return [
        Image(
          width: camera.width, height: camera.height, channelCount: camera.channelCount,
          samples: Array(bytes))
      ]
    }
  }

  /// Puts images where those of the first slot are.
  func setImages(_ images: [[UInt8]]) {
    for (samples, start) in zip(images, description.layout.images) {
      UnsafeMutableRawBufferPointer(start: address(start), count: samples.count)
        .copyBytes(from: samples)
    }
  }
}

import Environments
import Media

/// What a worker says of an environment that it made.
struct PythonEnvironmentDescription: Decodable, Equatable {
  struct CameraDescription: Decodable, Equatable {
    let name: String
    /// `[H, W, C]`
    let shape: [Int]
  }

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
  /// Where its memory begins and ends, in bytes: action, observation, reward and flags, each at the
  /// next multiple of 64.
  let offset: Int
  let imageOffsets: [Int]
  let end: Int
  /// Of Python and the packages that are loaded.
  let versions: [String: String]

  /// What cannot be right.
  func check(memorySize: Int) -> String? {
    let images = zip(imageOffsets, cameras).allSatisfy { start, camera in
      camera.shape.count == 3 && camera.shape.allSatisfy { (1...65_536).contains($0) }
        && start >= 0 && start + camera.shape.reduce(1, *) <= memorySize
    }
    guard low.count == names.count, high.count == names.count, imageOffsets.count == cameras.count,
      actionLow.count == actionHigh.count, images, offset >= 0, end <= memorySize,
      flagsOffset < end
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

  var observationOffset: Int { offset + rounded(4 * actionLow.count) }
  var rewardOffset: Int { observationOffset + rounded(4 * names.count) }
  var flagsOffset: Int { rewardOffset + 64 }

  private func rounded(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }
}

/// An environment of Python: one that Gymnasium knows, or anything with its `reset` and `step`.
///
/// It lives in a worker process with others of its kind. A seed and the actions decide an episode
/// as far as the environment honours its seed; that it does is checked when a state is restored.
public final class PythonEnvironment: ReplayedEnvironment {
  /// As in `gymnasium:Hopper-v5`.
  public let name: String
  /// The numbers of the observation, those of a Dict one after another.
  public let observationSpace: BoxSpace
  /// The images of the observation.
  public let cameras: [Camera]
  /// Flattened.
  public let actionSpace: BoxSpace
  /// By its metadata.
  public let stepsPerSecond: Double
  /// The steps after which it would truncate an episode by itself; nil if it never does.
  public let ownTimeLimit: Int?
  /// Of Python and the packages that the environment loaded, by name.
  public let versions: [String: String]
  /// The way to the present state.
  public private(set) var history = EpisodeHistory(from: .seed(0))
  /// `isSuccess` where the environment tells it.
  public private(set) var info: [String: Double] = [:]

  private let worker: PythonWorker
  private let place: Int
  private let description: PythonEnvironmentDescription
  private let source: PythonSettings.Source
  private let sourceName: String
  private let parameters: PythonParameters
  /// The same environment in a process that draws it.
  private var mirror: PythonMirror?

  /// Makes an environment in a worker that has room.
  ///
  /// - Throws: `EnvironmentError.failed` with what Python said; `ConfigurationError` for parameters
  ///   that cannot be.
  convenience init(
    _ source: PythonSettings.Source, name: String, parameters: PythonParameters
  ) throws {
    try self.init(source, name: name, parameters: parameters, draws: false)
  }

  fileprivate init(
    _ source: PythonSettings.Source, name: String, parameters: PythonParameters, draws: Bool
  ) throws {
    var settings = try parameters.settings(source, name: name)
    settings.render = draws
    worker = try PythonWorkers.shared.worker(
      for: settings, limit: draws ? 1 : parameters.workerLimit,
      startTimeLimit: parameters.startTimeLimit, stepTimeLimit: parameters.stepTimeLimit)
    (place, description) = try worker.make(seed: 0)
    self.name = settings.title
    self.source = source
    self.parameters = parameters
    sourceName = name
    observationSpace = BoxSpace(
      names: description.names, lowerBounds: description.low.map { Float($0 ?? -.infinity) },
      upperBounds: description.high.map { Float($0 ?? .infinity) })
    actionSpace = BoxSpace(
      names: description.actionLow.indices.map { "action[\($0)]" },
      lowerBounds: description.actionLow.map { Float($0) },
      upperBounds: description.actionHigh.map { Float($0) })
    cameras = description.cameras.map {
      Camera(name: $0.name, width: $0.shape[1], height: $0.shape[0], channelCount: $0.shape[2])
    }
    stepsPerSecond = description.stepsPerSecond
    ownTimeLimit = description.timeLimit
    versions = description.versions
  }

  deinit { worker.close(place) }

  /// Environments of one process are stepped one after another.
  public var lane: AnyObject? { worker }

  /// Starts an episode; Python gets the low 31 bits of the seed.
  public func reset(_ start: EpisodeStart) throws {
    guard case .seed(let seed) = start else {
      preconditionFailure("\(name) starts from seeds, not from states")
    }
    history.begin(from: start)
    info = [:]
    try worker.reset(place, seed: seed)
  }

  /// Steps it; what the step brought stays in the worker's memory until the next one.
  public func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    history.append(action)
    let taken = worker.floats(at: description.offset, count: action.count)
    for index in action.indices { taken[index] = action[index] }
    try worker.step(place)
    let reward = worker.address(description.rewardOffset).load(as: Double.self)
    let flags = Flags(rawValue: worker.address(description.flagsOffset).load(as: UInt8.self))
    if flags.contains(.successIsKnown) { info["isSuccess"] = flags.contains(.success) ? 1 : 0 }
    return StepOutcome(
      reward: Float(reward), isTerminated: flags.contains(.terminated),
      isTruncated: flags.contains(.truncated))
  }

  private struct Flags: OptionSet {
    let rawValue: UInt8
    static let terminated = Flags(rawValue: 1)
    static let truncated = Flags(rawValue: 2)
    static let successIsKnown = Flags(rawValue: 4)
    static let success = Flags(rawValue: 8)
  }

  /// Copies the numbers of the observation.
  public func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    _ = observation.update(
      fromContentsOf: worker.floats(
        at: description.observationOffset, count: observationSpace.count))
  }

  /// Copies the images of the observation, one of each camera.
  public func observeImages() throws -> [[Image]] {
    zip(cameras, description.imageOffsets).map { camera, offset in
      let bytes = UnsafeRawBufferPointer(
        start: worker.address(offset), count: camera.shape.reduce(1, *))
      return [
        Image(
          width: camera.width, height: camera.height, channelCount: camera.channelCount,
          samples: Array(bytes))
      ]
    }
  }

  /// Draws the present state: a second process makes the same environment with a renderer and goes
  /// the same way, so that training does not pay for one.
  ///
  /// - Throws: `EnvironmentError.renderingUnavailable` if it gives no image, or if the seed and the
  ///   actions do not lead to the same state there.
  public func render(width: Int, height: Int) throws -> Image {
    do {
      let mirror = try mirror ?? PythonMirror(of: self)
      self.mirror = mirror
      return try mirror.image(after: history, observation: observation)
        .resized(width: width, height: height, method: .area)
    } catch EnvironmentError.failed(_, _, let reason) {
      throw EnvironmentError.renderingUnavailable(environment: name, reason: reason)
    }
  }

  /// An environment that follows another one and draws it.
  private final class PythonMirror {
    private let environment: PythonEnvironment

    init(of other: PythonEnvironment) throws {
      environment = try PythonEnvironment(
        other.source, name: other.sourceName, parameters: other.parameters, draws: true)
    }

    /// The image at the end of a history.
    func image(after history: EpisodeHistory, observation: [Float]) throws -> Image {
      let size = environment.actionSpace.count
      let own = environment.history
      if own.start != history.start || !history.actions.starts(with: own.actions)
        || !hasStarted
      {
        try environment.reset(history.start)
        hasStarted = true
      }
      let missing = history.actions[environment.history.actions.count...]
      for start in stride(from: missing.startIndex, to: missing.endIndex, by: size) {
        try environment.step(Array(missing[start..<start + size]))
      }
      guard environment.observation == observation else {
        throw EnvironmentError.failed(
          environment: environment.name, doing: "render",
          reason: "its seed and actions lead another process to another state")
      }
      let frame = try environment.worker.render(environment.place)
      return Image(
        width: frame.width, height: frame.height, channelCount: 3, samples: frame.samples)
    }

    private var hasStarted = false
  }
}

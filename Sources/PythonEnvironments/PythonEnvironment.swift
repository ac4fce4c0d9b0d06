import Environments
import Media

/// An environment of Python: one that Gymnasium knows, or anything with its `reset` and `step`.
///
/// It lives in a worker process with others of its kind. A seed and the actions decide an episode
/// as far as the environment honours its seed; that it does is checked when a state is restored. One
/// that has `get_state() -> bytes` and `set_state(bytes)` is saved and restored by them.
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

  /// Whether nothing was ever asked of it but what it is.
  private var isUnused = true
  private let worker: PythonWorker
  private var place: PythonWorker.Place
  private let description: PythonEnvironmentDescription
  private let memory: PythonMemory
  private let parameters: PythonParameters
  /// The same environment in a process that draws it.
  private var mirror: PythonMirror?
  /// What chooses actions in it, if somebody does.
  private var expert: PythonExpert?

  /// Of the steps that a request came to, the one that was handed out last.
  private var slot = 0
  private var executed = 0
  /// Whether a step was taken since the reset.
  private var hasStepped = false
  /// The actions that the next steps will bring.
  private var prepared: [Float] = []

  /// Makes an environment in a worker that has room.
  ///
  /// - Throws: `EnvironmentError.failed` with what Python said; `ConfigurationError` for parameters
  ///   that cannot be.
  static func make(
    _ source: PythonSettings.Source, name: String, parameters: PythonParameters
  ) throws -> PythonEnvironment {
    try make(parameters.settings(source, name: name), parameters, count: 1)[0]
  }

  /// Makes several environments; processes that are started for them start side by side.
  ///
  /// - Throws: `EnvironmentError` with what Python said of the first one that fails.
  static func make(
    _ settings: PythonSettings, _ parameters: PythonParameters, count: Int
  ) throws -> [PythonEnvironment] {
    // One that told its spaces before, as to a training that checked them, is the first.
    let first = PythonWorkers.shared.takeUnused(of: settings, parameters.limits).map {
      PythonEnvironment(
        in: $0.worker, place: $0.place, description: $0.description, parameters: parameters)
    }
    let kept = first.map { [$0] } ?? []
    guard count > kept.count else { return kept }
    let workers = try PythonWorkers.shared.workers(
      for: settings, environments: count - kept.count,
      processes: settings.render ? 1 : parameters.workerCount, limits: parameters.limits)
    let made = try PythonWorkers.make(in: workers)
    return kept
      + zip(workers, made).map { worker, made in
        PythonEnvironment(
          in: worker, place: made.place, description: made.description, parameters: parameters)
      }
  }

  private init(
    in worker: PythonWorker, place: PythonWorker.Place, description: PythonEnvironmentDescription,
    parameters: PythonParameters
  ) {
    (self.worker, self.place, self.description) = (worker, place, description)
    self.parameters = parameters
    memory = PythonMemory(worker.memory, description, infoKeys: worker.settings.info)
    name = worker.settings.title
    observationSpace = description.observationSpace
    actionSpace = description.actionSpace
    cameras = description.mediaCameras
    stepsPerSecond = description.stepsPerSecond
    ownTimeLimit = description.timeLimit
    versions = description.versions
  }

  deinit {
    guard isUnused else { return worker.close(place) }
    PythonWorkers.shared.keep(
      UnusedEnvironment(worker: worker, place: place, description: description))
  }

  /// Environments of one process are stepped one after another.
  public var lane: (any EnvironmentLane)? { worker }

  /// `isSuccess` where the environment tells it, and what the parameter `info` names.
  public var info: [String: Double] { hasStepped ? memory.info(slot) : [:] }

  /// Starts an episode; Python gets the low 31 bits of the seed.
  public func reset(_ start: EpisodeStart) throws {
    guard case .seed(let seed) = start else {
      preconditionFailure("\(name) starts from seeds, not from states")
    }
    history.begin(from: start)
    (slot, executed, hasStepped) = (0, 0, false)
    prepared.removeAll(keepingCapacity: true)
    isUnused = false
    try worker.reset(&place, description, seed: seed, expert: expert)
  }

  /// Keeps the actions: the next step sends them all, in one message.
  public func prepare(_ actions: UnsafeBufferPointer<Float>) {
    guard slot + 1 >= executed else { return }
    let count = min(actions.count / actionSpace.count, description.layout.slots)
    prepared.removeAll(keepingCapacity: true)
    prepared.append(contentsOf: actions[..<(count * actionSpace.count)])
  }

  /// Steps it, or gives what a step came to that was taken with those before it; what the steps
  /// brought stays in the worker's memory until the next request.
  public func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    if slot + 1 < executed {
      slot += 1
      let taken = memory.action(slot)
      precondition(
        zip(action, taken).allSatisfy { $0.bitPattern == $1.bitPattern },
        "\(name) was told of other actions than it is stepped with")
    } else {
      let isPrepared =
        prepared.count > action.count
        && zip(action, prepared).allSatisfy { $0.bitPattern == $1.bitPattern }
      let count = isPrepared ? prepared.count / action.count : 1
      for slot in 0..<count {
        let taken = memory.action(slot)
        for index in taken.indices {
          taken[index] = isPrepared ? prepared[slot * taken.count + index] : action[index]
        }
      }
      prepared.removeAll(keepingCapacity: true)
      guard try worker.step(place, count: count) else {
        (slot, executed) = (0, 0)
        return .lost
      }
      (slot, executed) = (0, min(max(memory.executed, 1), count))
    }
    history.append(action)
    hasStepped = true
    return memory.outcome(slot)
  }

  /// Copies the numbers of the observation.
  public func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    _ = observation.update(fromContentsOf: memory.observation(slot))
  }

  /// Copies the images of the observation, one of each camera.
  public func observeImages() throws -> [[Image]] { memory.images(slot) }

  // MARK: Experts

  /// Gives it an expert, which begins anew with each episode.
  ///
  /// - Throws: `EnvironmentError.expertFailed` with what Python said.
  func attach(_ expert: PythonExpert) throws {
    self.expert = expert
    isUnused = false
    try worker.attach(expert, to: place)
  }

  /// The action that its expert chooses; nil if the episode is lost with its process.
  ///
  /// - Throws: `EnvironmentError.expertFailed` with what Python said.
  func expertAction() throws -> [Float]? {
    guard let expert else { preconditionFailure("\(name) has no expert") }
    precondition(slot + 1 >= executed, "\(name) is ahead of what its expert has seen")
    guard try worker.act(place, expert) else { return nil }
    return Array(memory.action(0))
  }

  /// Shows the expert what another environment observes, beside which it acts.
  func show(_ observation: [Float]) {
    _ = memory.observation(0).update(fromContentsOf: observation)
  }

  // MARK: Saving

  private var stateTag: String { "state of \(name) \(observationSpace.shape)" }

  /// Appends its exact state where it can tell it, and the way to it.
  ///
  /// - Throws: `EnvironmentError.failed` if Python fails.
  public func save(to state: inout EnvironmentState) throws {
    // Python may be ahead of what was handed out; the way is not.
    let isExact = description.hasState && slot + 1 >= executed
    let own = isExact ? try worker.save(place) : []
    state.appendTag(stateTag)
    state.append(contentsOf: own)
    if !own.isEmpty {
      state.append(contentsOf: Array(observation))
      state.append(hasStepped)
      state.append(UInt64(memory.flags(slot).rawValue))
      state.append(contentsOf: memory.infoValues(slot))
      for image in memory.images(slot).joined() { state.append(contentsOf: image.samples) }
    }
    saveHistory(to: &state)
  }

  /// Gives it a saved state, or goes the way to it.
  ///
  /// - Throws: as `restoreHistory(from:)`.
  public func restore(from reader: inout EnvironmentState.Reader) throws {
    try reader.readTag(stateTag)
    let own = try reader.readBytes()
    guard !own.isEmpty else { return try restoreHistory(from: &reader) }
    let observation = try reader.readFloats(expectedCount: observationSpace.count)
    let hasStepped = try reader.readFlag()
    let flags = PythonStepFlags(rawValue: UInt8(truncatingIfNeeded: try reader.readWord()))
    let info = try reader.readDoubles(expectedCount: memory.infoValues(0).count)
    let images = try cameras.map { try reader.readBytes(expectedCount: $0.shape.reduce(1, *)) }
    let history = try readHistory(from: &reader)
    guard description.hasState, case .seed(let seed) = history.start else {
      throw EnvironmentError.stateMismatch(layer: name)
    }
    isUnused = false
    try worker.restore(place, withUnsafeBytes(of: seed.littleEndian) { Array($0) } + own)
    (slot, executed, self.hasStepped, self.history) = (0, 0, hasStepped, history)
    prepared.removeAll(keepingCapacity: true)
    _ = memory.observation(0).update(fromContentsOf: observation)
    memory.setFlags(flags)
    memory.setInfoValues(info)
    memory.setImages(images)
  }

  // MARK: Drawing

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
      var settings = other.worker.settings
      settings.render = true
      environment = try PythonEnvironment.make(settings, other.parameters, count: 1)[0]
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
        guard try !environment.step(Array(missing[start..<start + size])).isLost else {
          hasStarted = false
          throw EnvironmentError.failed(
            environment: environment.name, doing: "render",
            reason: "the process that draws it ended, and is started anew for the next image")
        }
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

extension PythonEnvironment {
  /// How many processes environments like this one share.
  public var processCount: Int { parameters.workerCount }

  /// What a worker tells of it once it has taken some steps, beyond what `EnvironmentFacts` sees:
  /// names with their values.
  ///
  /// - Throws: `EnvironmentError.failed` if Python fails.
  public func facts() throws -> [(name: String, value: String)] {
    isUnused = false
    let facts = try worker.facts(place)
    let modes = description.renderModes
    var lines = [
      ("python", parameters.pythonPath),
      (
        "versions",
        versions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
      ),
      ("render modes", modes.isEmpty ? "none" : modes.joined(separator: ", ")),
      ("success key", facts.successKey ?? "none found"),
      ("info keys", facts.infoKeys.isEmpty ? "none" : facts.infoKeys.joined(separator: ", ")),
      (
        "state",
        description.hasState
          ? "get_state and set_state: a run resumes as exactly as they are"
          : "its seed and actions: a run resumes exactly if they decide an episode"
      ),
      ("memory of a process", "\(facts.kilobytes / 1024) MB"),
    ]
    let unseen = parameters.infoKeys.filter { !facts.infoKeys.contains($0) }
    if !unseen.isEmpty { lines.append(("not in its first info", unseen.joined(separator: ", "))) }
    return lines
  }
}

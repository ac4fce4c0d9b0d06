import Environments
import Foundation
import Media

/// A vector environment of Python, whose rows are environments: what `gymnasium.vector.VectorEnv`
/// calls `step` is one request for all of them.
///
/// In a visit each row has a thread. Who steps waits until all that still step have given their
/// actions; the last one asks Python. A row whose episode ended asks for the next one and waits
/// until the visit is over for all: what Python does with it until then depends on the source, see
/// `Batch` in `worker.py`.
///
/// Unchecked sendable: the condition guards what changes.
final class PythonBatch: EnvironmentLane, @unchecked Sendable {
  let name: String
  private let worker: PythonWorker
  private var place: PythonWorker.Place
  private let description: PythonEnvironmentDescription
  private let memories: [PythonMemory]

  private let condition = NSCondition()
  /// Rows of this visit that may still step.
  private var stepping = 0
  /// Rows that have given their action, and those that wait for their next episode.
  private var acting: [Int] = []
  private var resetting: [Int] = []
  /// Counts steps, and ends of visits.
  private var round = 0
  private var visit = 0
  private var failure: (any Error)?
  /// The rows whose episode was lost with its process; they learn of it at their next step.
  private var isLost: [Bool]

  /// Makes the rows of a batch, which one `LocalVectorEnvironment` has to step.
  ///
  /// - Throws: as `PythonEnvironment`.
  static func make(
    _ source: PythonSettings.Source, name: String, parameters: PythonParameters, count: Int
  ) throws -> [any Environment] {
    var settings = try parameters.settings(source, name: name)
    settings.rows = count
    // What told the spaces of one is no part of a batch, and goes.
    PythonWorkers.shared.takeUnused(of: settings, parameters.limits)?.close()
    let batch = try PythonBatch(settings, limits: parameters.limits)
    return (0..<count).map { PythonBatchRow(batch, row: $0, infoKeys: settings.info) }
  }

  private init(_ settings: PythonSettings, limits: PythonWorker.Limits) throws {
    name = settings.title
    worker = try PythonWorker(settings, limits: limits)
    let (place, description) = try worker.make()
    (self.place, self.description) = (place, description)
    memories = (0..<settings.rows).map { [worker] row in
      PythonMemory(worker.memory, description, row: row, infoKeys: settings.info)
    }
    isLost = Array(repeating: false, count: settings.rows)
  }

  deinit { worker.close(place) }

  /// Of its process.
  var restartCount: Int { worker.restartCount }
  /// All rows at once.
  var stepsTogether: Bool { true }

  fileprivate func memory(of row: Int) -> PythonMemory { memories[row] }
  fileprivate var space: PythonEnvironmentDescription { description }

  func beginVisit(of count: Int) {
    condition.withLock {
      (stepping, failure) = (count, nil)
      acting.removeAll()
      resetting.removeAll()
    }
  }

  func endVisit() {
    condition.withLock {
      // A row that waited for its next episode steps no more already.
      if waitedThreads.remove(ObjectIdentifier(Thread.current)) == nil { leave() }
    }
  }

  /// The threads of rows that have waited for their next episode in this visit.
  private var waitedThreads: Set<ObjectIdentifier> = []

  /// One row less steps.
  private func leave() {
    stepping -= 1
    proceed()
  }

  /// Asks Python when all have said what they want.
  private func proceed() {
    if stepping == 0 {
      if !resetting.isEmpty, failure == nil { attempt { try startEpisodes() } }
      visit += 1
      condition.broadcast()
    } else if acting.count == stepping {
      attempt { try stepAll() }
      round += 1
      condition.broadcast()
    }
  }

  private func attempt(_ body: () throws -> Void) {
    do { try body() } catch { failure = failure ?? error }
  }

  private func stepAll() throws {
    let rows = acting
    acting.removeAll()
    for (row, memory) in memories.enumerated() { memory.setTakesPart(rows.contains(row)) }
    if try !worker.step(place) {
      for row in isLost.indices { isLost[row] = true }
    }
  }

  private func startEpisodes() throws {
    for (row, memory) in memories.enumerated() { memory.setTakesPart(resetting.contains(row)) }
    try worker.reset(&place, description, seed: 0)
    for row in resetting { isLost[row] = false }
    resetting.removeAll()
  }

  /// Steps a row with the others; its action lies in memory.
  ///
  /// - Returns: whether its episode goes on from what came of it.
  /// - Throws: what went wrong, for all rows.
  fileprivate func step(_ row: Int) throws -> Bool {
    try condition.withLock {
      if let failure { throw failure }
      precondition(stepping > 0, "a row of \(name) is stepped without the others")
      if isLost[row] { return false }
      let current = round
      acting.append(row)
      proceed()
      while round == current { condition.wait() }
      if let failure { throw failure }
      return !isLost[row] && !memories[row].flags(0).contains(.started)
    }
  }

  /// Starts the next episode of a row, when no other row steps any more.
  ///
  /// - Throws: what went wrong, for all rows.
  fileprivate func reset(_ row: Int, seed: UInt64) throws {
    try condition.withLock {
      if let failure { throw failure }
      precondition(stepping > 0, "a row of \(name) is reset without the others")
      memories[row].setSeed(seed)
      resetting.append(row)
      waitedThreads.insert(ObjectIdentifier(Thread.current))
      let current = visit
      leave()
      while visit == current { condition.wait() }
      if let failure { throw failure }
    }
  }
}

/// A row of a vector environment, which cannot be without the others.
///
/// Its episodes are decided by the seed of the first reset and all actions of all rows since, unless
/// the vector resets single rows by a seed. Nobody can save that: where a run is resumed, its rows
/// begin new episodes.
final class PythonBatchRow: Environment {
  let name: String
  let observationSpace: BoxSpace
  let cameras: [Camera]
  let actionSpace: BoxSpace
  let stepsPerSecond: Double
  private let batch: PythonBatch
  private let row: Int
  private let memory: PythonMemory
  private var hasStepped = false
  /// Whether a state was to be restored: the episode that it belongs to is lost.
  private var isAbandoned = false

  fileprivate init(_ batch: PythonBatch, row: Int, infoKeys: [String]) {
    self.batch = batch
    self.row = row
    memory = batch.memory(of: row)
    name = batch.name
    observationSpace = batch.space.observationSpace
    cameras = batch.space.mediaCameras
    actionSpace = batch.space.actionSpace
    stepsPerSecond = batch.space.stepsPerSecond
  }

  var lane: (any EnvironmentLane)? { batch }

  var versions: [String: String] { batch.space.versions }

  var info: [String: Double] { hasStepped ? memory.info(0) : [:] }

  func reset(_ start: EpisodeStart) throws {
    guard case .seed(let seed) = start else {
      preconditionFailure("\(name) starts from seeds, not from states")
    }
    hasStepped = false
    isAbandoned = false
    try batch.reset(row, seed: seed)
  }

  func step(_ action: UnsafeBufferPointer<Float>) throws -> StepOutcome {
    if isAbandoned { return .lost }
    _ = memory.action(0).update(fromContentsOf: action)
    guard try batch.step(row) else { return .lost }
    hasStepped = true
    return memory.outcome(0)
  }

  func observe(into observation: UnsafeMutableBufferPointer<Float>) {
    _ = observation.update(fromContentsOf: memory.observation(0))
  }

  func observeImages() throws -> [[Image]] { memory.images(0) }

  func save(to state: inout EnvironmentState) { state.appendTag("row of \(name)") }

  func restore(from reader: inout EnvironmentState.Reader) throws {
    try reader.readTag("row of \(name)")
    isAbandoned = true
    guard row == 0 else { return }
    EnvironmentWarnings.print(
      "environment \(name) cannot be restored, since its rows are stepped as one: running episodes "
        + "are dropped and new ones started; the run continues, but not bit for bit")
  }

  func render(width: Int, height: Int) throws -> Image {
    throw EnvironmentError.renderingUnavailable(
      environment: name, reason: "a row of a vector is not drawn")
  }
}

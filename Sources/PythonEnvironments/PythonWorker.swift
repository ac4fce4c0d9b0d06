import Dispatch
import Environments
import Foundation
import Programs

/// The process in which environments of one kind live, and its successors: one that dies is started
/// anew a few times an hour, without the episodes that ran in it.
///
/// Unchecked sendable: whoever talks to the process holds the lock.
final class PythonWorker: EnvironmentLane, @unchecked Sendable {
  /// Where an environment is.
  struct Place: Equatable {
    let index: Int
    /// The number of the process in which it was made.
    var process: Int
  }

  /// How long and how often.
  struct Limits: Equatable {
    /// Seconds that starting, making and resetting may take, and a step.
    var start: Double
    var step: Double
    /// Processes in an hour, after the first.
    var restarts: Int
  }

  let settings: PythonSettings
  /// What environments and Attune both see; it outlives a process.
  let memory: SharedMemory
  let limits: Limits
  private let log = PythonWorkerLog()
  private let lock = NSLock()
  private var process: PythonProcess?
  /// The number of the running process, or of the next one.
  private var number = 0
  private var restarts: [ContinuousClock.Instant] = []
  private var restartsSoFar = 0
  /// Set when it has died too often.
  private var end: EnvironmentError?
  private var places: Set<Int> = []

  /// Addresses, not memory: pages that nobody writes take no room.
  private static let memoryByteCount = 1 << 32
  private static let maxEnvironmentCount = 1 << 20

  /// Starts the first process.
  ///
  /// - Throws: `EnvironmentError.failed` if it cannot be started.
  init(_ settings: PythonSettings, limits: Limits) throws {
    self.settings = settings
    self.limits = limits
    do {
      memory = try SharedMemory(byteCount: Self.memoryByteCount)
      process = try PythonProcess(
        settings, memory: memory, log: log, timeLimit: limits.start)
    } catch let error as PythonFailure {
      throw Self.failure(of: settings, doing: "start", error.reason)
    } catch let error as ProgramError {
      throw Self.failure(of: settings, doing: "start", error.problem)
    }
  }

  /// How many environments it holds.
  var environmentCount: Int { lock.withLock { places.count } }

  /// Whether environments can be made in it.
  var isRunning: Bool { lock.withLock { end == nil && process?.isRunning ?? true } }

  /// How many processes followed the first.
  var restartCount: Int { lock.withLock { restartsSoFar } }

  // MARK: Requests

  /// Makes an environment in a free place.
  ///
  /// - Throws: `EnvironmentError.failed`; a process that dies of it is not started anew.
  func make() throws -> (place: Place, description: PythonEnvironmentDescription) {
    try lock.withLock {
      guard let index = (0..<Self.maxEnvironmentCount).first(where: { !places.contains($0) })
      else {
        throw failure(
          doing: "be made",
          "its process holds \(Self.maxEnvironmentCount) environments: take more workers")
      }
      do {
        let description = try make(in: try startedProcess(), index)
        places.insert(index)
        return (Place(index: index, process: number), description)
      } catch let error as PythonFailure {
        throw failure(doing: "be made", error.reason)
      }
    }
  }

  /// Gives the environment of a place an expert; another process does so again in `reset`.
  ///
  /// - Throws: `EnvironmentError.expertFailed` for an exception, or if the process died too often.
  func attach(_ expert: PythonExpert, to place: Place) throws {
    _ = try request(place, doing: "be made", by: expert) {
      _ = try $0.attach(expert, to: place.index, within: limits.start)
    }
  }

  /// Lets the expert of a place write its action into memory.
  ///
  /// - Returns: whether it did. The episode is lost if the process died, now or since it began.
  /// - Throws: `EnvironmentError.expertFailed`, as `attach`.
  func act(_ place: Place, _ expert: PythonExpert) throws -> Bool {
    try request(place, doing: "act", by: expert) {
      _ = try $0.ask(.act, place.index, within: expert.timeLimit ?? limits.step)
    } != nil
  }

  private func make(
    in process: PythonProcess, _ index: Int
  ) throws -> PythonEnvironmentDescription {
    let details = try process.ask(.make, index, within: limits.start)
    let description: PythonEnvironmentDescription
    do {
      description = try JSONDecoder().decode(
        PythonEnvironmentDescription.self, from: Data(details))
    } catch {
      throw PythonFailure.exception("its description cannot be read: \(error)")
    }
    guard description.protocolVersion == settings.protocolVersion else {
      let found = description.protocolVersion.map { "version \($0)" } ?? "no version"
      throw PythonFailure.exception(
        "its worker speaks \(found) of the protocol, and Attune version "
          + "\(settings.protocolVersion): both come with Attune; build or install it anew")
    }
    if let problem = description.problem(
      memorySize: memory.bytes.count, rows: max(settings.rows, 1))
    {
      throw PythonFailure.exception(problem)
    }
    return description
  }

  /// Starts an episode in a place, in a process that is started anew if there is none. A first reset
  /// may build a model: it has the time of a start.
  ///
  /// - Throws: `EnvironmentError.failed` for an exception, or if the process died too often.
  func reset(
    _ place: inout Place, _ description: PythonEnvironmentDescription, seed: UInt64,
    expert: PythonExpert? = nil
  ) throws {
    try lock.withLock {
      while true {
        do {
          let process = try startedProcess()
          if place.process != number {
            let made = try make(in: process, place.index)
            guard made == description else {
              throw PythonFailure.exception("another process made it with other spaces")
            }
            try expert.map { try process.attach($0, to: place.index, within: limits.start) }
            place.process = number
          }
          _ = try process.ask(.reset, place.index, value: seed, within: limits.start)
          return
        } catch let error as PythonFailure {
          try endProcess(after: error, doing: "reset", by: error.isExperts ? expert : nil)
        }
      }
    }
  }

  /// Steps the environment of a place, whose actions lie in memory.
  ///
  /// - Parameter count: of the steps, which an end of the episode cuts short.
  /// - Returns: whether they were taken. The episode is lost if the process died, now or since it
  ///   began.
  /// - Throws: as `reset`.
  func step(_ place: Place, count: Int = 1) throws -> Bool {
    try request(place, doing: "step") {
      _ = try $0.ask(.step, place.index, value: UInt64(count), within: limits.step)
    } != nil
  }

  /// Draws the environment of a place: height, width, and RGB bytes.
  ///
  /// - Throws: `EnvironmentError.failed` for what goes wrong.
  func render(_ place: Place) throws -> (height: Int, width: Int, samples: [UInt8]) {
    let answer = try answer(.render, place, doing: "render")
    let (height, width) = answer.withUnsafeBytes { bytes in
      bytes.count < 8
        ? (0, 0)
        : (
          Int(bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self)),
          Int(bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        )
    }
    guard min(height, width) > 0, answer.count == 8 + height * width * 3 else {
      throw failure(doing: "render", "it gave \(answer.count) bytes for \(width)x\(height) pixels")
    }
    return (height, width, Array(answer[8...]))
  }

  /// The exact state of an environment that can tell it; empty if it cannot.
  func save(_ place: Place) throws -> [UInt8] { try answer(.save, place, doing: "save") }

  /// Gives an environment its exact state.
  func restore(_ place: Place, _ state: [UInt8]) throws {
    _ = try answer(.restore, place, value: UInt64(state.count), data: state, doing: "restore")
  }

  /// What it knows of an environment after some steps.
  func facts(_ place: Place) throws -> PythonEnvironmentFacts {
    let answer = try answer(.facts, place, doing: "tell about itself")
    do {
      return try JSONDecoder().decode(PythonEnvironmentFacts.self, from: Data(answer))
    } catch {
      throw failure(doing: "tell about itself", "\(error)")
    }
  }

  /// Gives up the environment of a place.
  func close(_ place: Place) {
    lock.withLock {
      places.remove(place.index)
      guard place.process == number, let process, process.isRunning else { return }
      // Nobody waits for what comes of it: an environment that cannot be closed ends with its
      // process.
      _ = try? process.ask(.close, place.index, within: limits.step)
    }
  }

  /// The answer to what only the episode that runs can be asked.
  private func answer(
    _ operation: PythonProcess.Operation, _ place: Place, value: UInt64 = 0, data: [UInt8] = [],
    doing action: String
  ) throws -> [UInt8] {
    let answer = try request(place, doing: action) {
      try $0.ask(operation, place.index, value: value, data: data, within: limits.start)
    }
    guard let answer else {
      throw failure(doing: action, "its Python process has ended, and its episode with it")
    }
    return answer
  }

  /// What the process of a place answers; nil if it has ended and may be started anew.
  private func request<Answer>(
    _ place: Place, doing action: String, by expert: PythonExpert? = nil,
    _ ask: (PythonProcess) throws -> Answer
  ) throws -> Answer? {
    try lock.withLock {
      if let end { throw end }
      guard place.process == number, let process else { return nil }
      do {
        return try ask(process)
      } catch let error as PythonFailure {
        try endProcess(after: error, doing: action, by: expert)
        return nil
      }
    }
  }

  // MARK: Ends

  private func startedProcess() throws -> PythonProcess {
    if let end { throw end }
    if let process { return process }
    let started = try PythonProcess(
      settings, memory: memory, log: log, timeLimit: limits.start)
    process = started
    return started
  }

  /// Gives up a process that died.
  ///
  /// - Throws: `EnvironmentError` for an exception, or if no other one may follow.
  private func endProcess(
    after failure: PythonFailure, doing action: String, by expert: PythonExpert?
  ) throws {
    guard case .death(let reason) = failure else {
      throw self.failure(doing: action, by: expert, failure.reason)
    }
    let now = ContinuousClock.now
    restarts.removeAll { now - $0 > .seconds(3600) }
    process = nil
    number += 1
    guard restarts.count < limits.restarts else {
      let words =
        limits.restarts == 0
        ? reason
        : "\(reason); it was started anew \(limits.restarts.times) within an hour, as often as the "
          + "parameter 'restarts' allows"
      let error = self.failure(doing: action, by: expert, words)
      end = error
      throw error
    }
    restarts.append(now)
    restartsSoFar += 1
    EnvironmentWarnings.print(
      "\(self.failure(doing: action, by: expert, reason)); the process is started anew, and the episodes that "
        + "ran in it are dropped")
  }

  /// - Parameter expert: who failed; nil for the environment.
  private func failure(
    doing action: String, by expert: PythonExpert? = nil, _ reason: String
  ) -> EnvironmentError {
    Self.failure(of: settings, doing: action, by: expert, reason)
  }

  private static func failure(
    of settings: PythonSettings, doing action: String, by expert: PythonExpert? = nil,
    _ reason: String
  ) -> EnvironmentError {
    if let name = expert?.name ?? (settings.source == .beside ? settings.name : nil) {
      return .expertFailed(expert: name, doing: action, reason: reason)
    }
    return .failed(environment: settings.title, doing: action, reason: reason)
  }
}

extension Int {
  fileprivate var times: String { self == 1 ? "once" : "\(self) times" }
}

/// What a worker knows of an environment after some steps.
struct PythonEnvironmentFacts: Decodable {
  /// Which key of the info tells success.
  let successKey: String?
  /// The keys of a step's info.
  let infoKeys: [String]
  /// The most memory that the process has had.
  let kilobytes: Int
}

/// An environment without whoever made it.
struct UnusedEnvironment {
  let worker: PythonWorker
  let place: PythonWorker.Place
  let description: PythonEnvironmentDescription

  /// Gives it up.
  func close() { worker.close(place) }
}

/// What Python processes there are, so that environments of one kind share as many as they may.
///
/// Unchecked sendable: the lock guards the references.
final class PythonWorkers: @unchecked Sendable {
  static let shared = PythonWorkers()

  private struct Reference {
    weak var worker: PythonWorker?
  }
  private let lock = NSLock()
  private var references: [Reference] = []
  /// An environment that nobody has played in, such as one that only told its spaces: the next one of
  /// its kind, for which a process need not start again.
  private var unused: UnusedEnvironment?

  /// Keeps an environment that nobody has played in, in place of the one before.
  func keep(_ environment: UnusedEnvironment) {
    let former = lock.withLock {
      defer { unused = environment }
      return unused
    }
    former?.close()
  }

  /// The environment that is kept, if it is of these settings; one of others is given up.
  func takeUnused(
    of settings: PythonSettings, _ limits: PythonWorker.Limits
  ) -> UnusedEnvironment? {
    let kept = lock.withLock {
      defer { unused = nil }
      return unused
    }
    guard let kept, kept.worker.settings == settings, kept.worker.limits == limits,
      kept.worker.isRunning
    else {
      kept?.close()
      return nil
    }
    return kept
  }

  /// Workers for some environments of the same settings: for each the running one that has the
  /// fewest, or another one while there are fewer than `processes`. Those that are started do not
  /// wait for one another.
  ///
  /// - Throws: `EnvironmentError` if one cannot be started.
  func workers(
    for settings: PythonSettings, environments: Int, processes: Int, limits: PythonWorker.Limits
  ) throws -> [PythonWorker] {
    try lock.withLock {
      references.removeAll { $0.worker == nil }
      var running = references.compactMap(\.worker).filter {
        $0.settings == settings && $0.limits == limits && $0.isRunning
      }.map { (worker: $0, load: $0.environmentCount) }
      return try (0..<environments).map { _ in
        let free =
          running.indices.first { running[$0].load == 0 }
          ?? (running.count < processes
            ? nil : running.indices.min { running[$0].load < running[$1].load })
        if let free {
          running[free].load += 1
          return running[free].worker
        }
        let worker = try PythonWorker(settings, limits: limits)
        references.append(Reference(worker: worker))
        running.append((worker, 1))
        return worker
      }
    }
  }

  /// Makes an environment in each of some workers. Different ones make theirs side by side: what
  /// takes long is what Python imports.
  ///
  /// - Parameters:
  ///   - workers: one for each environment.
  ///   - announcementDelay: seconds after which a line tells that this takes its time.
  /// - Returns: a place for each, in order.
  /// - Throws: what `PythonWorker.make` throws for the first one that fails; places that others have
  ///   by then are given up.
  static func make(
    in workers: [PythonWorker], announcementDelay: Double = 2
  ) throws -> [(place: PythonWorker.Place, description: PythonEnvironmentDescription)] {
    let indices = Dictionary(grouping: workers.indices) { ObjectIdentifier(workers[$0]) }
    let made = MadePlaces(count: workers.count)
    let group = DispatchGroup()
    for own in indices.values {
      // Threads that wait, of which there may be more than processors.
      group.enter()
      Thread.detachNewThread {
        for index in own where !made.hasFailed(before: index) {
          made.keep(Result { try workers[index].make() }, at: index)
        }
        group.leave()
      }
    }
    if group.wait(timeout: .now() + announcementDelay) == .timedOut {
      let count = indices.count
      EnvironmentLogs.announce(
        "\(workers[0].settings.title): waiting for \(count) Python process\(count == 1 ? "" : "es") to "
          + "import it and to make \(workers.count) environment\(workers.count == 1 ? "" : "s")")
      group.wait()
    }
    do {
      return try made.all()
    } catch {
      for case (let worker, .success(let own)?) in zip(workers, made.results) {
        worker.close(own.place)
      }
      throw error
    }
  }
}

/// What threads made, each at places of its own.
///
/// Unchecked sendable: the lock guards the results.
private final class MadePlaces: @unchecked Sendable {
  typealias Made = (place: PythonWorker.Place, description: PythonEnvironmentDescription)
  private let lock = NSLock()
  private(set) var results: [Result<Made, any Error>?]

  init(count: Int) { results = Array(repeating: nil, count: count) }

  /// Whether one before an index failed, so that nobody wants this one any more.
  func hasFailed(before index: Int) -> Bool {
    lock.withLock {
      results[..<index].contains { if case .failure = $0 { true } else { false } }
    }
  }

  func keep(_ result: Result<Made, any Error>, at index: Int) {
    lock.withLock { results[index] = result }
  }

  /// - Throws: the first failure.
  func all() throws -> [Made] { try results.compactMap { try $0?.get() } }
}

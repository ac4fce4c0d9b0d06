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
      throw EnvironmentError.failed(
        environment: settings.title, doing: "start", reason: error.reason)
    } catch let error as ProgramError {
      throw EnvironmentError.failed(
        environment: settings.title, doing: "start", reason: error.problem)
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
    _ place: inout Place, _ description: PythonEnvironmentDescription, seed: UInt64
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
            place.process = number
          }
          _ = try process.ask(.reset, place.index, value: seed, within: limits.start)
          return
        } catch let error as PythonFailure {
          try endProcess(after: error, doing: "reset")
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
    _ place: Place, doing action: String, _ ask: (PythonProcess) throws -> Answer
  ) throws -> Answer? {
    try lock.withLock {
      if let end { throw end }
      guard place.process == number, let process else { return nil }
      do {
        return try ask(process)
      } catch let error as PythonFailure {
        try endProcess(after: error, doing: action)
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
  /// - Throws: `EnvironmentError.failed` for an exception, or if no other one may follow.
  private func endProcess(after failure: PythonFailure, doing action: String) throws {
    guard case .death(let reason) = failure else {
      throw self.failure(doing: action, failure.reason)
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
      let error = self.failure(doing: action, words)
      end = error
      throw error
    }
    restarts.append(now)
    restartsSoFar += 1
    EnvironmentWarnings.print(
      "\(self.failure(doing: action, reason)); the process is started anew, and the episodes that "
        + "ran in it are dropped")
  }

  private func failure(doing action: String, _ reason: String) -> EnvironmentError {
    .failed(environment: settings.title, doing: action, reason: reason)
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

  /// The running worker of these settings that has the fewest environments, or another one while
  /// there are fewer than `count`.
  func worker(
    for settings: PythonSettings, count: Int, limits: PythonWorker.Limits
  ) throws -> PythonWorker {
    try lock.withLock {
      references.removeAll { $0.worker == nil }
      let running = references.compactMap(\.worker).filter {
        $0.settings == settings && $0.limits == limits && $0.isRunning
      }
      if running.count >= count,
        let worker = running.min(by: { $0.environmentCount < $1.environmentCount })
      {
        return worker
      }
      if let idle = running.first(where: { $0.environmentCount == 0 }) { return idle }
      let worker = try PythonWorker(settings, limits: limits)
      references.append(Reference(worker: worker))
      return worker
    }
  }
}

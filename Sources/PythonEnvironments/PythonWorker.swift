import Environments
import Files
import Foundation
import Glibc
import Programs

/// A Python process that holds environments of one kind and steps them one after another.
///
/// Control goes through its standard streams, numbers and images through memory that both map. What
/// libraries print goes to standard error, whose last lines are in errors. `worker.py` is the other
/// side.
///
/// Unchecked sendable: whoever talks to it holds the lock.
final class PythonWorker: @unchecked Sendable {
  let settings: PythonSettings
  private let program: Program
  private let memory: SharedMemory
  private let lock = NSLock()
  private var places: Set<Int> = []
  /// The time limit of making an environment is another one, until it has been made.
  private let limits: (start: Double, step: Double)

  /// Addresses, not memory: pages that nobody writes take no room.
  private static let memoryByteCount = 1 << 32
  private static let maxEnvironmentCount = 1 << 20

  /// Starts Python and sends it its program.
  ///
  /// - Throws: `EnvironmentError.failed` if it cannot be started.
  init(_ settings: PythonSettings, startTimeLimit: Double, stepTimeLimit: Double) throws {
    self.settings = settings
    limits = (startTimeLimit, stepTimeLimit)
    do {
      memory = try SharedMemory(byteCount: Self.memoryByteCount)
      program = try Program(
        Self.words(python: settings.python), memory: memory, hangSignal: SIGABRT)
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      for part in [Array(PackageResources.worker_py), Array(try encoder.encode(settings))] {
        try program.send(Self.bytes(UInt32(part.count)) + part, within: startTimeLimit)
      }
    } catch let error as ProgramError {
      throw EnvironmentError.failed(
        environment: settings.title, doing: "start",
        reason: "\(settings.python) \(error.problem)")
    }
  }

  /// How many environments it holds.
  var environmentCount: Int { lock.withLock { places.count } }

  /// Whether it can still be talked to.
  var isRunning: Bool { lock.withLock { program.isRunning } }

  /// The words that start it. Hashes are not random, so that a seed decides what sets come to.
  private static func words(python: String) -> [String] {
    let hashing = getenv("PYTHONHASHSEED") == nil ? ["PYTHONHASHSEED=0"] : []
    return ["env"] + hashing + [python, "-u", "-X", "faulthandler", "-c", boot]
  }

  /// Puts its streams where prints do not reach them, keeps numerical libraries to one thread each
  /// (workers are as many as processors) and runs what it is sent.
  private static let boot = """
    import ctypes.util, os
    requests, answers = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"): os.environ.setdefault(name + "_NUM_THREADS", "1")
    if "DISPLAY" not in os.environ:
      library = "egl" if ctypes.util.find_library("EGL") else "osmesa"
      for name in ("MUJOCO_GL", "PYOPENGL_PLATFORM"): os.environ.setdefault(name, library)
    def read(count):
      data = b""
      while len(data) < count:
        part = os.read(requests, count - len(data))
        if not part: os._exit(0)
        data += part
      return data
    source = read(int.from_bytes(read(4), "little"))
    exec(compile(source, "attune-worker", "exec"), {
      "__name__": "attune_worker", "ATTUNE_WORKER_REQUESTS": requests,
      "ATTUNE_WORKER_ANSWERS": answers, "ATTUNE_WORKER_MEMORY": 3})
    """

  // MARK: Requests

  private enum Operation: UInt32 {
    case make = 1
    case reset, step, render, close
  }

  /// Makes an environment in a free place.
  func make(seed: UInt64) throws -> (place: Int, description: PythonEnvironmentDescription) {
    try lock.withLock {
      guard let place = (0..<Self.maxEnvironmentCount).first(where: { !places.contains($0) })
      else {
        throw failure(
          doing: "be made",
          "its process holds \(Self.maxEnvironmentCount) environments: take more workers")
      }
      let details = try ask(.make, place, seed: seed, doing: "be made", within: limits.start)
      let description: PythonEnvironmentDescription
      do {
        description = try JSONDecoder().decode(
          PythonEnvironmentDescription.self, from: Data(details))
      } catch {
        throw failure(doing: "be made", "its description cannot be read: \(error)")
      }
      try description.check(memorySize: memory.bytes.count).map {
        throw failure(doing: "be made", $0)
      }
      places.insert(place)
      return (place, description)
    }
  }

  /// Starts an episode in a place. A first reset may build a model: it has the time of a start.
  func reset(_ place: Int, seed: UInt64) throws {
    _ = try lock.withLock {
      try ask(.reset, place, seed: seed, doing: "reset", within: limits.start)
    }
  }

  /// Steps the environment of a place, whose action lies in memory.
  func step(_ place: Int) throws {
    _ = try lock.withLock { try ask(.step, place, doing: "step", within: limits.step) }
  }

  /// Draws the environment of a place: height, width, and RGB bytes.
  func render(_ place: Int) throws -> (height: Int, width: Int, samples: [UInt8]) {
    let answer = try lock.withLock {
      try ask(.render, place, doing: "render", within: limits.start)
    }
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

  /// Gives up the environment of a place.
  func close(_ place: Int) {
    lock.withLock {
      places.remove(place)
      guard program.isRunning else { return }
      // Nobody waits for what comes of it: an environment that cannot be closed ends with its
      // process.
      _ = try? ask(.close, place, doing: "close", within: limits.step)
    }
  }

  /// The float32 numbers that begin at an offset.
  func floats(at offset: Int, count: Int) -> UnsafeMutableBufferPointer<Float> {
    // Mapped memory has no type of its own; worker.py has float32 here, at a multiple of 64 bytes.
    UnsafeMutableBufferPointer(
      start: address(offset).assumingMemoryBound(to: Float.self), count: count)
  }

  /// Where the numbers of a place lie.
  func address(_ offset: Int) -> UnsafeMutableRawPointer {
    // Its size is not zero.
    memory.bytes.baseAddress.unsafelyUnwrapped + offset
  }

  private func ask(
    _ operation: Operation, _ place: Int, seed: UInt64 = 0, doing action: String,
    within seconds: Double
  ) throws -> [UInt8] {
    do {
      try program.send(
        Self.bytes(operation.rawValue) + Self.bytes(UInt32(place)) + Self.bytes(seed),
        within: seconds)
      let header = try program.receive(byteCount: 8, within: seconds)
      let (kind, count) = header.withUnsafeBytes {
        (
          $0.loadUnaligned(fromByteOffset: 0, as: UInt32.self),
          $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        )
      }
      let details =
        count == 0 ? [] : try program.receive(byteCount: Int(count), within: seconds)
      guard kind != 2 else { throw refusal(details, doing: action) }
      return details
    } catch let error as ProgramError {
      throw failure(doing: action, death(error))
    }
  }

  private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  // MARK: Errors

  private func failure(doing action: String, _ reason: String) -> EnvironmentError {
    .failed(environment: settings.title, doing: action, reason: reason)
  }

  /// What an exception was, and where.
  private struct Exception: Decodable {
    let words: String
    let place: String
    let module: String?
  }

  private func refusal(_ details: [UInt8], doing action: String) -> EnvironmentError {
    guard let exception = try? JSONDecoder().decode(Exception.self, from: Data(details)) else {
      return failure(doing: action, "its worker gave an error that cannot be read")
    }
    if let module = exception.module {
      return failure(
        doing: action,
        "\(settings.python) has no module '\(module.printable)': install it with '"
          + "\(settings.python) -m pip install \(module.printable)', or name another Python with "
          + "the environment's parameter 'python'")
    }
    let place = exception.place.isEmpty ? "" : " (\(exception.place.printable))"
    return failure(doing: action, exception.words.printable + place)
  }

  /// How a process ended that gives no answer, and where it hung: `faulthandler` prints the newest
  /// frame first.
  private func death(_ error: ProgramError) -> String {
    let frame = program.lastLines.first { line in
      line.hasPrefix("  File \"") && !line.contains("\"attune-worker\"")
        && !line.contains("\"<string>\"")
    }
    let words = "its Python process \(error.problem)"
    if let frame { return words + "; it was at\(String(frame.dropFirst(1)).printable)" }
    return error.said.isEmpty ? words : words + "; it said: \(error.said.printable)"
  }
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
  /// there are fewer than `limit`.
  func worker(
    for settings: PythonSettings, limit: Int, startTimeLimit: Double, stepTimeLimit: Double
  ) throws -> PythonWorker {
    try lock.withLock {
      references.removeAll { $0.worker == nil }
      let running = references.compactMap(\.worker).filter {
        $0.settings == settings && $0.isRunning
      }
      if running.count >= limit,
        let worker = running.min(by: { $0.environmentCount < $1.environmentCount })
      {
        return worker
      }
      if let idle = running.first(where: { $0.environmentCount == 0 }) { return idle }
      let worker = try PythonWorker(
        settings, startTimeLimit: startTimeLimit, stepTimeLimit: stepTimeLimit)
      references.append(Reference(worker: worker))
      return worker
    }
  }
}

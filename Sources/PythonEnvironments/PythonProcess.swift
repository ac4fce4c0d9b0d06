import Environments
import Files
import Foundation
import Glibc
import Programs

/// Why a Python process did not do what was asked of it.
enum PythonFailure: Error {
  /// Python raised an exception, the environment or its expert; the process goes on.
  case exception(String, isExperts: Bool = false)
  /// The process is no more, or was killed since it did not answer.
  case death(String)

  /// Whether it is the expert's, as far as is known.
  var isExperts: Bool {
    if case .exception(_, let isExperts) = self { isExperts } else { false }
  }

  /// What happened, in words for its user.
  var reason: String {
    switch self {
    case .exception(let reason, _), .death(let reason): reason
    }
  }
}

/// A Python that runs `worker.py`: requests go out, answers come in.
///
/// Control goes through its standard streams, numbers and images through memory that both map. What
/// libraries print goes to standard error, which a `PythonWorkerLog` sees. One thread at a time may
/// talk to it.
final class PythonProcess {
  /// What it is asked; `worker.py` has the same numbers.
  enum Operation: UInt32 {
    case make = 1
    case reset, step, render, close, save, restore, facts, expert, act
  }

  private let python: String
  /// How another Python is named, in words.
  private let pythonOption: String
  private let program: Program
  private let log: PythonWorkerLog

  /// Starts Python and sends it its program.
  ///
  /// - Throws: `PythonFailure` if it cannot be started.
  init(
    _ settings: PythonSettings, memory: SharedMemory, log: PythonWorkerLog, timeLimit: Double
  ) throws {
    python = settings.python
    pythonOption =
      settings.source == .beside ? "--expert-python" : "the environment's parameter 'python'"
    self.log = log
    do {
      program = try Program(
        Self.words(python: settings.python), memory: memory, hangSignal: SIGABRT,
        onErrors: { log.take($0) })
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      for part in [Array(PackageResources.worker_py), Array(try encoder.encode(settings))] {
        try program.send(Self.bytes(UInt32(part.count)) + part, within: timeLimit)
      }
    } catch let error as ProgramError {
      throw PythonFailure.death("\(settings.python.printable) \(error.problem)")
    }
  }

  /// Whether it can still be talked to, as far as is known.
  var isRunning: Bool { program.isRunning }

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

  /// Asks, and waits for the answer.
  ///
  /// - Parameters:
  ///   - operation: what is to be done.
  ///   - index: the environment's place.
  ///   - value: a seed, or a number of steps or bytes.
  ///   - data: what follows the request.
  ///   - seconds: in which the answer has to come.
  /// - Throws: `PythonFailure`.
  func ask(
    _ operation: Operation, _ index: Int, value: UInt64 = 0, data: [UInt8] = [],
    within seconds: Double
  ) throws -> [UInt8] {
    do {
      let request =
        Self.bytes(operation.rawValue) + Self.bytes(UInt32(index)) + Self.bytes(value) + data
      try program.send(request, within: seconds)
      let header = try program.receive(byteCount: 8, within: seconds)
      let (kind, count) = header.withUnsafeBytes {
        (
          $0.loadUnaligned(fromByteOffset: 0, as: UInt32.self),
          $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        )
      }
      let details =
        count == 0 ? [] : try program.receive(byteCount: Int(count), within: seconds)
      guard kind != 2 else { throw exception(details) }
      return details
    } catch let error as ProgramError {
      throw death(error)
    }
  }

  private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  /// Makes an expert for the environment of a place.
  ///
  /// - Throws: `PythonFailure`.
  func attach(_ expert: PythonExpert, to index: Int, within seconds: Double) throws {
    let data = try Array(JSONEncoder().encode(expert.settings))
    _ = try ask(.expert, index, value: UInt64(data.count), data: data, within: seconds)
  }

  // MARK: Errors

  /// What an exception was, and where.
  private struct Exception: Decodable {
    let words: String
    let place: String
    let module: String?
    let isRefusal: Bool
    let isExpert: Bool
  }

  private func exception(_ details: [UInt8]) -> PythonFailure {
    guard let exception = try? JSONDecoder().decode(Exception.self, from: Data(details)) else {
      return .exception("its worker gave an error that cannot be read" + logWords("all it said"))
    }
    if let module = exception.module {
      return .exception(
        "\(python.printable) has no module '\(module.printable)': install it with "
          + "'\(python.printable) -m pip install \(module.printable)', or name another Python with "
          + pythonOption, isExperts: exception.isExpert)
    }
    let place = exception.place.isEmpty ? "" : " (\(exception.place.printable))"
    let log = exception.isRefusal ? "" : logWords("the whole traceback")
    return .exception(exception.words.printable + place + log, isExperts: exception.isExpert)
  }

  /// How a process ended that gives no answer, and where it hung: `faulthandler` prints the newest
  /// frame first.
  private func death(_ error: ProgramError) -> PythonFailure {
    let frame = program.lastLines.first { line in
      line.hasPrefix("  File \"") && !line.contains("\"attune-worker\"")
        && !line.contains("\"<string>\"")
    }
    let words = "its Python process \(error.problem)"
    let log = error.said.isEmpty ? "" : logWords("what it printed")
    if let frame {
      return .death(words + "; it was at\(String(frame.dropFirst(1)).printable)" + log)
    }
    return .death(error.said.isEmpty ? words : words + "; it said: \(error.said.printable)" + log)
  }

  /// Where to read on; nothing if it cannot be written.
  private func logWords(_ contents: String) -> String {
    program.readErrors()
    guard let path = log.finish(lastLines: program.lastLines) else { return "" }
    return "; \(contents) is in \(path.printable)"
  }
}

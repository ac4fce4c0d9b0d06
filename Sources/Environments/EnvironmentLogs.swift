import Files
import Synchronization

/// Where what the programs of environments print goes: Python and the libraries in it.
public enum EnvironmentLogs {
  /// Takes one line, from any thread.
  public typealias Sink = @Sendable (String) -> Void

  private struct State {
    var folder: String?
    var sink: Sink?
    var toldCount = 0
    var programCount = 0
  }

  private static let state = Mutex(State())
  /// The first lines tell what there is to know; the rest is in the files.
  private static let toldLimit = 20

  /// Keeps what programs print from now on in files of a folder, such as that of a run. Without a
  /// folder only the end of it is kept, and written when something goes wrong.
  ///
  /// - Parameters:
  ///   - folder: where.
  ///   - rank: which of several processes this is; each has a thousand numbers for its programs.
  public static func keep(in folder: String, rank: Int = 0) {
    state.withLock {
      $0.folder = folder
      if rank > 0 { $0.programCount = max($0.programCount, 1_000 * rank) }
    }
  }

  /// Keeps only the ends again.
  package static func keepInNoFolder() { state.withLock { $0.folder = nil } }

  /// Tells somebody the first lines that programs print.
  public static func send(to sink: @escaping Sink) {
    state.withLock { state in
      state.sink = sink
      state.toldCount = 0
    }
  }

  /// The folder, if there is one.
  package static var folder: String? { state.withLock { $0.folder } }

  /// The number of another program.
  package static func nextNumber() -> Int {
    state.withLock { state in
      state.programCount += 1
      return state.programCount - 1
    }
  }

  /// Tells what Attune itself has to say of programs, such as that it waits for them.
  package static func announce(_ line: String) { state.withLock { $0.sink }?(line.printable) }

  /// Tells a line, if it is one of the first.
  package static func tell(_ line: String, from program: String) {
    let told: (sink: Sink, isLast: Bool)? = state.withLock { state in
      guard let sink = state.sink, state.toldCount < toldLimit else { return nil }
      state.toldCount += 1
      return (sink, state.toldCount == toldLimit)
    }
    guard let told else { return }
    told.sink("\(program): \(line.printable)" + (told.isLast ? " (no more is shown)" : ""))
  }
}

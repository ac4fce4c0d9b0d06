import ArgumentParser
@preconcurrency import Glibc
import MessagePassing
import Runs
import Synchronization
import Tensors

/// A command that several processes can work on together: `mpirun -n 4 attune ...`.
protocol RankedCommand: ParsableCommand {}

/// The processes that a launcher started to work on one command; most often there is one.
///
/// The first speaks, and writes files. The others are heard only where they fail by themselves.
enum Ranks {
  private static let joined = Mutex<MPICommunicator?>(nil)

  /// Finds out which rank this process is; all but the first fall silent.
  static func begin() {
    guard let started = StartedRank(), started.rank > 0 else { return }
    StandardError.silence()
    // Results are the first one's to print.
    freopen("/dev/null", "w", stdout)
  }

  /// Refuses to do the same work several times, in the same files.
  static func check(_ command: any ParsableCommand) throws {
    guard let started = StartedRank(), !(command is any RankedCommand) else { return }
    throw ValidationError(
      "'\(type(of: command)._commandName)' is the work of one process, not of "
        + "\(started.processCount); start it without mpirun")
  }

  /// Joins the other processes, if there are any.
  ///
  /// - Throws: `RankMismatch` if one of them is another program or was asked for something else.
  static func join() throws -> any Communicator {
    guard StartedRank() != nil else { return SingleProcess() }
    if let communicator = joined.withLock({ $0 }) { return communicator }
    let communicator = try MPICommunicator()
    joined.withLock { $0 = communicator }
    try RankAgreement(
      version: Attune.configuration.version, command: Array(CommandLine.arguments.dropFirst())
    ).require(over: communicator)
    return communicator
  }

  /// A random seed, the same on all ranks.
  static func randomSeed() -> UInt64 {
    guard StartedRank() != nil else { return CommandArguments.randomSeed() }
    do {
      let digits = try join().fromFirst(Array("\(CommandArguments.randomSeed())".utf8))
      return UInt64(String(decoding: digits, as: UTF8.self)) ?? 0
    } catch {
      abort("\(error)", status: ExitCode.failure.rawValue)
      return 0
    }
  }

  /// Leaves in good order, where all ranks have come to their end.
  static func finish() {
    if let communicator = joined.withLock({ $0 }) { communicator.finish() }
  }

  /// Takes the others down: they may wait for this rank for ever.
  ///
  /// - Parameters:
  ///   - line: what this rank dies of.
  ///   - status: the exit status of all.
  static func abort(_ line: String?, status: Int32) {
    guard let started = StartedRank() else { return }
    if started.rank > 0, let line {
      // What stops the first rank too, it says itself, and ends this one.
      sleep(1)
      StandardError.writeLast(
        "attune: rank \(started.rank) on \(StartedRank.host): \(line)")
    }
    if let communicator = joined.withLock({ $0 }) { communicator.abort(status: status) }
  }
}

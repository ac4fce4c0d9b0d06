import CMPIBridge
import Foundation
import Synchronization
import Tensors

/// The processes that `mpirun` or `srun` started, on one machine or several, over Open MPI.
///
/// Only the thread that joined may use it: MPI is started for one (`MPI_THREAD_FUNNELED`).
public final class MPICommunicator: Communicator {
  /// How many processes there are.
  public let processCount: Int
  /// Which of them this is, from 0.
  public let rank: Int
  private let sent = Mutex(Traffic())

  /// Joins the others.
  ///
  /// - Throws: `MessagePassingError` if Open MPI cannot start.
  public init() throws {
    var (rank, count): (Int32, Int32) = (0, 0)
    try Self.check(attune_mpi_start(&rank, &count))
    self.rank = Int(rank)
    processCount = Int(count)
  }

  /// What has gone from this rank to others so far.
  public var traffic: Traffic { sent.withLock { $0 } }

  /// What every rank hands over, in the order of ranks.
  ///
  /// - Throws: `MessagePassingError` if the connection is lost.
  public func gather(_ bytes: [UInt8]) throws -> [[UInt8]] {
    let begin = ContinuousClock.now
    var counts = [Int64](repeating: 0, count: processCount)
    try Self.check(attune_mpi_gather_counts(Int64(bytes.count), &counts))
    let total = Int(counts.reduce(0, +))
    let all = try [UInt8](unsafeUninitializedCapacity: total) { all, count in
      try Self.check(
        bytes.withUnsafeBytes { attune_mpi_gather($0.baseAddress, all.baseAddress, counts) })
      count = total
    }
    // Its own part goes to each of the others, in a ring or otherwise.
    count(
      messages: processCount - 1, bytes: bytes.count * (processCount - 1), since: begin)
    var start = 0
    return counts.map { count in
      defer { start += Int(count) }
      return Array(all[start..<start + Int(count)])
    }
  }

  /// What a partner hands over to this rank.
  ///
  /// - Throws: `MessagePassingError` if the connection is lost.
  public func exchange(_ bytes: [UInt8], with partner: Int) throws -> [UInt8] {
    let begin = ContinuousClock.now
    var theirs: Int64 = 0
    try Self.check(attune_mpi_exchange_counts(Int32(partner), Int64(bytes.count), &theirs))
    let count = Int(theirs)
    let result = try [UInt8](unsafeUninitializedCapacity: count) { result, filled in
      try Self.check(
        bytes.withUnsafeBytes {
          attune_mpi_exchange(
            Int32(partner), $0.baseAddress, Int64($0.count), result.baseAddress, theirs)
        })
      filled = count
    }
    self.count(messages: 1, bytes: bytes.count, since: begin)
    return result
  }

  /// Leaves in good order, once all ranks have come here.
  public func finish() { _ = attune_mpi_finish() }

  /// Ends all ranks at once.
  public func abort(status: Int32) -> Never {
    attune_mpi_abort(status)
    // MPI_Abort does not come back.
    exit(status)
  }

  private func count(messages: Int, bytes: Int, since begin: ContinuousClock.Instant) {
    sent.withLock {
      $0.duration += ContinuousClock.now - begin
      $0.messages += messages
      $0.bytes += bytes
    }
  }

  private static func check(_ error: Int32) throws {
    guard error != 0 else { return }
    var text = [CChar](repeating: 0, count: 256)
    attune_mpi_describe(error, &text)
    let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    throw MessagePassingError(reason: String(decoding: bytes, as: UTF8.self))
  }
}

/// Processes cannot hear each other.
public struct MessagePassingError: Error, CustomStringConvertible {
  /// As Open MPI has it.
  public let reason: String

  /// What happened, and what to do.
  public var description: String {
    "the connection between the processes failed: \(reason); start again with --resume"
  }
}

import Foundation
import Tensors

/// What must be the same on all ranks before they work together.
public struct RankAgreement: Codable, Equatable {
  /// The program's version.
  public var version: String
  /// Whether products, sums and functions come out with the same bits.
  public var arithmetic: String
  /// What was asked for.
  public var command: [String]

  /// What this rank has.
  ///
  /// - Parameters:
  ///   - version: of the program.
  ///   - command: its arguments.
  public init(version: String, command: [String]) {
    self.version = version
    self.command = command
    arithmetic = Self.arithmetic()
  }

  /// The bits of a few small computations. A processor with other instructions may add up a product
  /// in another order.
  private static func arithmetic() -> String {
    var random = RandomStream(seed: 1, purpose: "agreement of ranks")
    let left = random.normal([37, 130])
    let right = random.normal([130, 41])
    let numbers = [
      left.matmul(right), left.mish(), (left * 0.1).exp(), left.layerNorm(weight: nil, bias: nil),
    ].flatMap(\.elements)
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for number in numbers { hash = (hash ^ UInt64(number.bitPattern)) &* 0x100_0000_01b3 }
    return String(hash, radix: 16)
  }

  /// Asks all ranks.
  ///
  /// - Throws: `RankMismatch` on every rank if one has something else than the first.
  public func require(over communicator: any Communicator) throws {
    let all = try communicator.gatherValues(Entry(host: StartedRank.host, agreement: self))
    for (rank, entry) in all.enumerated() {
      guard let difference = entry.agreement.difference(from: all[0].agreement) else { continue }
      throw RankMismatch(rank: rank, host: entry.host, difference: difference)
    }
  }

  private struct Entry: Codable {
    var host: String
    var agreement: RankAgreement
  }

  /// What this has otherwise than the first rank.
  private func difference(from first: RankAgreement) -> String? {
    if version != first.version {
      return "is \(version), rank 0 is \(first.version): install the same version on all machines"
    }
    if command != first.command {
      return "was started with '\(command.joined(separator: " "))', rank 0 with "
        + "'\(first.command.joined(separator: " "))': start all by one mpirun"
    }
    if arithmetic != first.arithmetic {
      return
        "rounds otherwise than rank 0: the results would differ; use processors of one kind, or "
        + "the same ATTUNE settings on all"
    }
    return nil
  }
}

/// A rank that cannot work with the others.
public struct RankMismatch: Error, CustomStringConvertible, Equatable {
  /// Which rank.
  public let rank: Int
  /// Its machine.
  public let host: String
  /// What it has otherwise than rank 0, and what to do.
  public let difference: String

  /// In one line.
  public var description: String { "rank \(rank) on \(host) \(difference)" }
}

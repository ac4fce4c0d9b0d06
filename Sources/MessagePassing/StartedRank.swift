import Foundation

/// What a process knows of the others before it speaks to any: the launcher's variables.
public struct StartedRank: Sendable, Equatable {
  /// Which of them this is, from 0.
  public let rank: Int
  /// How many there are.
  public let processCount: Int

  /// Nil for a process that no launcher started, or that is the only one: `mpirun`'s and Slurm's
  /// variables (with PMIx, `srun --mpi=pmix`) are looked at.
  public init?(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
    let names = [
      ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), ("PMIX_RANK", "SLURM_NTASKS"),
    ]
    for (rank, count) in names {
      guard let rank = environment[rank].flatMap({ Int($0) }),
        let count = environment[count].flatMap({ Int($0) }), count > 1
      else { continue }
      self.rank = rank
      processCount = count
      return
    }
    return nil
  }

  /// The name of this machine.
  public static var host: String {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

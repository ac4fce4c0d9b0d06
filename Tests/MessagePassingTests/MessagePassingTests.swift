import MessagePassing
import TestSupport
import Testing

/// What ranks know of one another before and when they meet.
@Suite struct MessagePassingTests {
  @Test func launchersTellTheRank() {
    let open = StartedRank(["OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4"])
    #expect(open?.rank == 3 && open?.processCount == 4)
    let slurm = StartedRank(["PMIX_RANK": "1", "SLURM_NTASKS": "2"])
    #expect(slurm?.rank == 1 && slurm?.processCount == 2)
    // One process is on its own, whoever started it.
    #expect(StartedRank(["OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1"]) == nil)
    #expect(StartedRank(["SLURM_NTASKS": "2"]) == nil)
    #expect(StartedRank([:]) == nil)
  }

  @Test func theSameProgramAgrees() throws {
    _ = try ThreadRank.run(processCount: 4) { rank in
      try RankAgreement(version: "1", command: ["a"]).require(over: rank)
    }
  }

  @Test(
    arguments: [
      { (agreement: inout RankAgreement) in agreement.version = "2" },
      { $0.command = ["b"] },
      { $0.arithmetic += "0" },
    ] as [@Sendable (inout RankAgreement) -> Void])
  func othersAreNamed(_ change: @escaping @Sendable (inout RankAgreement) -> Void) throws {
    let errors = try ThreadRank.run(processCount: 4) { rank in
      var agreement = RankAgreement(version: "1", command: ["a"])
      if rank.rank == 2 { change(&agreement) }
      do {
        try agreement.require(over: rank)
        return RankMismatch?.none
      } catch let error as RankMismatch {
        return error
      }
    }
    // All hear of it, whoever speaks.
    #expect(errors.allSatisfy { $0?.rank == 2 && $0?.host == StartedRank.host })
  }
}

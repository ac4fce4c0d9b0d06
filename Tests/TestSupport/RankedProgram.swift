import Foundation

extension Attune {
  /// Whether several processes can be started here.
  public static let hasRanks = ["/usr/bin/mpirun", "/usr/local/bin/mpirun"].contains {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  /// Starts a command as several ranks of this machine.
  public static func start(
    ranks: Int, _ arguments: [String], in folder: TemporaryFolder? = nil, timeLimit: Double = 600
  ) throws -> RunningProgram {
    try RunningProgram(
      "/usr/bin/env", launcher + ["-n", "\(ranks)", try path] + arguments, in: folder,
      timeLimit: timeLimit)
  }

  /// Runs a command as several ranks to its end.
  public static func run(
    ranks: Int, _ arguments: [String], in folder: TemporaryFolder? = nil, timeLimit: Double = 600
  ) throws -> ProgramOutcome {
    try start(ranks: ranks, arguments, in: folder, timeLimit: timeLimit).finish()
  }

  /// As root, with more ranks than cores, by shared memory alone.
  public static let launcher = [
    "mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "--mca", "btl",
    "self,vader", "--mca", "btl_vader_single_copy_mechanism", "none",
  ]
}

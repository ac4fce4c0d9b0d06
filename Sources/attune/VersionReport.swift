import Environments
import Files
import Media
import Tensors

/// What `attune --version --verbose` prints: all that decides speed and digits on this machine.
struct VersionReport {
  /// Whether the arguments ask for it.
  static func isRequested(_ arguments: [String]) -> Bool {
    arguments.count == 2 && Set(arguments) == ["--version", "--verbose"]
  }

  let text: String

  init(version: String, computing: ComputingDescription = ComputingDescription()) {
    var rows = [["processor", computing.processor]]
    let sets = computing.instructionSets.joined(separator: " ")
    rows.append(["instructions", sets.isEmpty ? "none that Attune has kernels for" : sets])
    if computing.isRefusedTiles {
      rows.append(["", "amx_tile is there, and the system does not let this process use it"])
    }
    rows += computing.kernels.map { ["precision \($0.precision.rawValue)", $0.name] }
    rows.append(["threads", "\(computing.threads)"])
    rows.append(["OpenBLAS", computing.openBLAS ?? "not installed"])
    let libraries =
      LibraryVersion.ofFiles + LibraryVersion.ofMedia + LibraryVersion.ofEnvironments
    rows += libraries.map { [$0.name, $0.version] }
    text = version + "\n" + alignedColumns(rows.map { ["  " + $0[0]] + $0.dropFirst() })
  }
}

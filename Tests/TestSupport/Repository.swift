import Foundation

/// Files of this repository, and beside it.
public enum Repository {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// The path of a file or folder, as in "docs/results.md".
  public static func path(_ name: String) -> String { root.appending(path: name).path }

  /// The committed numbers that a reference implementation gave, beside the script that asked for
  /// them, as in "Diffusion/trajectories.safetensors".
  public static func golden(_ name: String) -> String { path("Tests/Goldens/\(name)") }

  /// Real data that is no part of the repository, as in "dolls"; nil, and a line of output, where it
  /// is missing.
  public static func sharedData(_ name: String) -> String? {
    let path = root.deletingLastPathComponent().appending(path: "shared/data/\(name)").path
    if FileManager.default.fileExists(atPath: path) { return path }
    print("skipped: there is no ../shared/data/\(name) beside the repository")
    return nil
  }
}

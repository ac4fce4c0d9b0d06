import Foundation
import Tensors

@testable import DiffusionPolicies

/// Files that `Tests/Goldens/Demonstrations/generate.py` wrote.
enum DemonstrationGoldens {
  private static let tests = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent()

  static func path(_ name: String) -> String {
    tests.appendingPathComponent("Goldens/Demonstrations/\(name)").path
  }

  /// A path in a fresh folder.
  static func temporary(_ name: String) throws -> String {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("attune-demonstrations-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder.appendingPathComponent(name).path
  }

  /// The 206 human demonstrations of Push-T, which are not part of the repository; nil, and a line
  /// that says so, where they are missing.
  static var pushT: String? {
    let path = tests.deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("shared/data/pusht/pusht_demos.npz").path
    if FileManager.default.fileExists(atPath: path) { return path }
    print("skipped: no ../shared/data/pusht/pusht_demos.npz beside the repository")
    return nil
  }

  /// Episodes of one state and one action, both the number of the step in all of them.
  static func counting(lengths: [Int], returns: [Float]? = nil) -> Demonstrations {
    var result = Demonstrations(stateSize: 1, actionSize: 1)
    result.lengths = lengths
    let count = lengths.reduce(0, +)
    result.states = (0..<count).map { Float($0) }
    result.actions = result.states
    result.terminals = [Bool](repeating: false, count: count)
    if let returns {
      for (length, value) in zip(lengths, returns) {
        result.rewards += [value] + [Float](repeating: 0, count: length - 1)
      }
    }
    return result
  }
}

/// The largest difference; infinite for other counts or NaN.
func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).reduce(0) { worst, pair in
    let difference = abs(pair.0 - pair.1)
    return difference.isNaN ? .infinity : max(worst, difference)
  }
}

import Foundation
import Tensors
import TestSupport

@testable import DiffusionPolicies

/// Files that `Tests/Goldens/Demonstrations/generate.py` wrote.
enum DemonstrationGoldens {
  static func path(_ name: String) -> String { Repository.golden("Demonstrations/\(name)") }

  /// A path in a fresh folder.
  static func temporary(_ name: String) throws -> String {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("attune-demonstrations-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder.appendingPathComponent(name).path
  }

  /// The 206 human demonstrations of Push-T, which are not part of the repository.
  static var pushT: String? { Repository.sharedData("pusht/pusht_demos.npz") }

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

import Files
import Foundation
import TestSupport

/// The committed numbers that reference implementations gave.
enum Goldens {
  static let folder = URL(filePath: Repository.golden("Environments"))

  /// An array and its shape.
  struct NumberArray {
    var shape: [Int]
    var values: [Double]

    /// The values at a leading index or two.
    subscript(indices: Int...) -> ArraySlice<Double> {
      let size = shape.dropFirst(indices.count).reduce(1, *)
      let start = zip(indices, shape).reduce(0) { $0 * $1.1 + $1.0 } * size
      return values[start..<start + size]
    }
  }

  /// Reads an `.npy` file.
  static func array(_ name: String) throws -> NumberArray {
    let stored = try NPYFile.read(path: folder.appendingPathComponent(name).path)
    return NumberArray(shape: stored.shape, values: stored.doubles)
  }

  /// Reads a file of named numbers.
  static func numbers(_ name: String) throws -> [String: [String: [Double]]] {
    let data = try Data(contentsOf: folder.appendingPathComponent(name))
    return try JSONDecoder().decode([String: [String: [Double]]].self, from: data)
  }
}

import Files
import Foundation
import Tensors
import Testing

/// What the scripts in `Tests/Goldens/TextToImage` made.
enum Goldens {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Goldens/TextToImage").path

  static func path(_ name: String) -> String { "\(folder)/\(name)" }

  static func decode<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
    try JSONDecoder().decode(type, from: Data(contentsOf: URL(filePath: path(name))))
  }
}

/// The greatest difference over the greatest expected magnitude; NaN if any element is, infinite if
/// the shapes differ.
func relativeError(_ actual: Tensor, _ expected: Tensor) -> Float {
  guard actual.shape == expected.shape else { return .infinity }
  let scale = expected.elements.map { abs($0) }.max() ?? 0
  var error: Float = 0
  for (a, e) in zip(actual.elements, expected.elements) {
    let difference = abs(a - e) / scale
    error = difference.isNaN || error.isNaN ? .nan : max(error, difference)
  }
  return error
}

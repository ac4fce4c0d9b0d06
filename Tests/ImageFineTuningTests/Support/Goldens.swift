import Files
import Foundation
import Tensors

/// What `Tests/Goldens` holds for these tests.
enum Goldens {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Goldens").path

  static func path(_ name: String) -> String { "\(root)/\(name)" }

  /// What `make_goldens.py` wrote.
  static func file() throws -> SafetensorsFile {
    try SafetensorsFile(path: path("ImageFineTuning/goldens.safetensors"))
  }
}

/// The greatest difference over the greatest expected magnitude; NaN if any element is, infinite if
/// the shapes differ.
func relativeError(_ actual: Tensor, _ expected: Tensor) -> Float {
  guard actual.shape == expected.shape else { return .infinity }
  let scale = expected.elements.map { abs($0) }.max() ?? 0
  return greatestDifference(actual, expected) / scale
}

/// The greatest difference of two tensors; infinite if the shapes differ, NaN if any element is.
func greatestDifference(_ a: Tensor, _ b: Tensor) -> Float {
  guard a.shape == b.shape else { return .infinity }
  var greatest: Float = 0
  for (a, b) in zip(a.elements, b.elements) {
    let difference = abs(a - b)
    greatest = difference.isNaN || greatest.isNaN ? .nan : max(greatest, difference)
  }
  return greatest
}

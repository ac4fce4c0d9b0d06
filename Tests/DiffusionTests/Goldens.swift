import Files
import Foundation
import Tensors
import Testing

/// A file of tensors made by `Tests/Goldens/Diffusion/generate.py`.
struct Goldens {
  private let file: SafetensorsFile

  init(_ name: String, sourceFile: String = #filePath) throws {
    let folder = URL(fileURLWithPath: sourceFile).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Goldens/Diffusion")
    file = try SafetensorsFile(path: folder.appendingPathComponent(name).path)
  }

  subscript(name: String) -> Tensor {
    get throws { try file.tensor(named: name) }
  }

  var names: [String] { file.names }

  func integers(_ name: String) throws -> [Int] { try file.integers(named: name) }
}

/// Checks shapes, and elements relative to the greatest expected magnitude. NaN fails.
func expectClose(
  _ actual: Tensor, _ expected: Tensor, relative: Float = 1e-5, absolute: Float = 1e-7,
  _ what: String, sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.shape == expected.shape else {
    Issue.record(
      "\(what): shape \(actual.shape), expected \(expected.shape)", sourceLocation: sourceLocation)
    return
  }
  let error = relativeError(actual, expected, absolute: absolute / relative)
  if !(error <= relative) {
    Issue.record("\(what): relative error \(error)", sourceLocation: sourceLocation)
  }
}

/// The greatest difference over the greatest expected magnitude; NaN if any element is.
func relativeError(_ actual: Tensor, _ expected: Tensor, absolute: Float = 0) -> Float {
  let scale = expected.elements.map { abs($0) }.max() ?? 0
  var error: Float = 0
  for (a, e) in zip(actual.elements, expected.elements) {
    let difference = abs(a - e) / (scale + absolute)
    error = difference.isNaN || error.isNaN ? .nan : max(error, difference)
  }
  return error
}

func randomTensor(_ shape: [Int], seed: UInt64 = 1) -> Tensor {
  var random = RandomStream(seed: seed, purpose: "test")
  return random.normal(shape)
}

import Files
import Foundation
import Tensors
import Testing

/// A file of tensors made by `Tests/Goldens/NeuralNetworks/generate.py`.
struct Goldens {
  private let file: SafetensorsFile

  init(_ name: String, sourceFile: String = #filePath) throws {
    let folder = URL(fileURLWithPath: sourceFile).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Goldens/NeuralNetworks")
    file = try SafetensorsFile(path: folder.appendingPathComponent(name).path)
  }

  subscript(name: String) -> Tensor {
    get throws { try file.tensor(named: name) }
  }

  /// The tensors of one case whose role starts with `role.`, by the rest of their names.
  func tensors(of name: String, role: String) throws -> [String: Tensor] {
    let prefix = "\(name)/\(role)."
    var result: [String: Tensor] = [:]
    for key in file.names where key.hasPrefix(prefix) {
      result[String(key.dropFirst(prefix.count))] = try file.tensor(named: key)
    }
    return result
  }
}

/// Checks shapes, and elements relative to the greatest expected magnitude. NaN fails.
func expectClose(
  _ actual: Tensor?, _ expected: Tensor, relative: Float = 1e-5, absolute: Float = 1e-7,
  _ what: String, sourceLocation: SourceLocation = #_sourceLocation
) {
  guard let actual, actual.shape == expected.shape else {
    Issue.record(
      "\(what): shape \(actual?.shape.description ?? "none"), expected \(expected.shape)",
      sourceLocation: sourceLocation)
    return
  }
  let scale = expected.elements.map { abs($0) }.max() ?? 0
  let tolerance = relative * scale + absolute
  for (index, (a, e)) in zip(actual.elements, expected.elements).enumerated()
  where !(abs(a - e) <= tolerance) {
    Issue.record(
      "\(what): element \(index) is \(a), expected \(e) within \(tolerance)",
      sourceLocation: sourceLocation)
    return
  }
}

extension Tensor {
  /// `[B, C, ...]` to `[B, ..., C]`.
  var channelsLast: Tensor {
    transposed([0] + Array(2..<rank) + [1])
  }

  /// `[B, ..., C]` to `[B, C, ...]`.
  var channelsFirst: Tensor {
    transposed([0, rank - 1] + Array(1..<(rank - 1)))
  }
}

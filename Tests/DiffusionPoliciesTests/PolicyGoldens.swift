import Files
import Foundation
import Tensors
import Testing

/// A file of tensors beside its generator in `Tests/Goldens/DiffusionPolicies`.
struct PolicyGoldens {
  let file: SafetensorsFile

  init(_ name: String) throws {
    file = try SafetensorsFile(path: Self.path(of: name))
  }

  static func path(of name: String, sourceFile: String = #filePath) -> String {
    URL(fileURLWithPath: sourceFile).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Goldens/DiffusionPolicies/\(name)").path
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
///
/// - Returns: the greatest error over that magnitude, if shapes agree.
@discardableResult
func expectNear(
  _ actual: Tensor?, _ expected: Tensor, relative: Float = 1e-5, absolute: Float = 1e-7,
  _ what: String, sourceLocation: SourceLocation = #_sourceLocation
) -> Float {
  guard let actual, actual.shape == expected.shape else {
    Issue.record(
      "\(what): shape \(actual?.shape.description ?? "none"), expected \(expected.shape)",
      sourceLocation: sourceLocation)
    return .infinity
  }
  let scale = expected.elements.map { abs($0) }.max() ?? 0
  let tolerance = relative * scale + absolute
  let errors = zip(actual.elements, expected.elements).map { abs($0 - $1) }
  for (index, error) in errors.enumerated() where !(error <= tolerance) {
    Issue.record(
      "\(what): element \(index) is off by \(error), more than \(tolerance)",
      sourceLocation: sourceLocation)
    break
  }
  return (errors.max() ?? 0) / max(scale, 1e-2)
}

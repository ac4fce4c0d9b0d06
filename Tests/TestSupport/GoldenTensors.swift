import Files
import Tensors

/// Golden files of tensors.
public struct GoldenTensors {
  private let files: [SafetensorsFile]

  /// Opens a file, as in "Diffusion/samplers.safetensors", or several that have no name in common.
  public init(_ name: String, _ others: String...) throws {
    files = try ([name] + others).map { try SafetensorsFile(path: Repository.golden($0)) }
  }

  /// What is in them.
  public var names: [String] { files.flatMap(\.names) }

  /// The file that has a tensor; the first, which refuses it, if none has.
  private func file(with name: String) -> SafetensorsFile {
    files.first { $0.names.contains(name) } ?? files[0]
  }

  /// A tensor, in single precision.
  public subscript(name: String) -> Tensor {
    get throws { Tensor(try file(with: name).storedTensor(named: name)) }
  }

  /// The elements of a tensor of integers.
  public func integers(_ name: String) throws -> [Int] {
    try file(with: name).integers(named: name)
  }

  /// The tensors of one case whose role starts with `role.`, by the rest of their names.
  public func tensors(of name: String, role: String) throws -> [String: Tensor] {
    let prefix = "\(name)/\(role)."
    var result: [String: Tensor] = [:]
    for key in names where key.hasPrefix(prefix) {
      result[String(key.dropFirst(prefix.count))] = try self[key]
    }
    return result
  }
}

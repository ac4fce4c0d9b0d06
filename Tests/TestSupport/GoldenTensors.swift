import Files
import Tensors

/// A golden file of tensors.
public struct GoldenTensors {
  private let file: SafetensorsFile

  /// Opens a file, as in "Diffusion/samplers.safetensors".
  public init(_ name: String) throws { file = try SafetensorsFile(path: Repository.golden(name)) }

  /// What is in it.
  public var names: [String] { file.names }

  /// A tensor, in single precision.
  public subscript(name: String) -> Tensor {
    get throws { Tensor(try file.storedTensor(named: name)) }
  }

  /// The elements of a tensor of integers.
  public func integers(_ name: String) throws -> [Int] { try file.integers(named: name) }

  /// The tensors of one case whose role starts with `role.`, by the rest of their names.
  public func tensors(of name: String, role: String) throws -> [String: Tensor] {
    let prefix = "\(name)/\(role)."
    var result: [String: Tensor] = [:]
    for key in file.names where key.hasPrefix(prefix) {
      result[String(key.dropFirst(prefix.count))] = try self[key]
    }
    return result
  }
}

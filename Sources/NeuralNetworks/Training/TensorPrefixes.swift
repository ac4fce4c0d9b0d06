import Tensors

extension Dictionary where Key == String, Value == Tensor {
  /// The same tensors under `prefix.`.
  public func prefixed(_ prefix: String) -> [String: Tensor] {
    Dictionary(uniqueKeysWithValues: map { ("\(prefix).\($0.key)", $0.value) })
  }

  /// The tensors under `prefix.`, without it.
  public func under(_ prefix: String) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (name, tensor) in self where name.hasPrefix("\(prefix).") {
      result[String(name.dropFirst(prefix.count + 1))] = tensor
    }
    return result
  }
}

extension Dictionary where Key == String {
  /// The same values under `prefix.`.
  public func prefixed(_ prefix: String) -> [String: Value] {
    Dictionary(uniqueKeysWithValues: map { ("\(prefix).\($0.key)", $0.value) })
  }

  /// The values under `prefix.`, without it.
  public func under(_ prefix: String) -> [String: Value] {
    var result: [String: Value] = [:]
    for (name, value) in self where name.hasPrefix("\(prefix).") {
      result[String(name.dropFirst(prefix.count + 1))] = value
    }
    return result
  }
}

import Glibc

extension ShardedTensorFile {
  /// Writes tensors as `<name>.safetensors`, or, where they are more than a limit, as numbered
  /// shards with an index, as Hugging Face's libraries do. Files of the other form are removed.
  ///
  /// - Parameters:
  ///   - tensors: by name.
  ///   - name: the files' common name, such as `model`.
  ///   - folder: where they go.
  ///   - maxShardByteCount: a shard has more only if a single tensor has.
  ///   - metadata: texts for each file.
  /// - Throws: `FileError` if the system refuses.
  public static func write(
    _ tensors: [String: StoredTensor], name: String, folder: String,
    maxShardByteCount: Int = 10_000_000_000, metadata: [String: String] = [:]
  ) throws(FileError) {
    let single = "\(folder)/\(name).safetensors"
    let index = "\(folder)/\(name).safetensors.index.json"
    let shards = shards(of: tensors, maxByteCount: maxShardByteCount)
    guard shards.count > 1 else {
      try SafetensorsFile.write(tensors, metadata: metadata, to: single)
      unlink(index)
      return
    }
    var map: [String: JSONValue] = [:]
    for (number, shard) in shards.enumerated() {
      let file = "\(name)-\(digits(number + 1))-of-\(digits(shards.count)).safetensors"
      try SafetensorsFile.write(
        tensors.filter { shard.contains($0.key) }, metadata: metadata, to: "\(folder)/\(file)")
      for tensor in shard { map[tensor] = .string(file) }
    }
    let total = tensors.values.reduce(0) { $0 + $1.byteCount }
    try JSONValue.object([
      "metadata": ["total_size": .number(Double(total))], "weight_map": .object(map),
    ]).write(to: index)
    unlink(single)
  }

  /// Names in order, cut wherever the limit would be passed.
  private static func shards(
    of tensors: [String: StoredTensor], maxByteCount: Int
  ) -> [Set<String>] {
    var shards: [Set<String>] = [[]]
    var byteCount = 0
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      if byteCount + tensor.byteCount > maxByteCount, !shards[shards.count - 1].isEmpty {
        shards.append([])
        byteCount = 0
      }
      shards[shards.count - 1].insert(name)
      byteCount += tensor.byteCount
    }
    return shards
  }

  private static func digits(_ number: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, 5 - text.count)) + text
  }
}

extension SafetensorsFile {
  /// Writes tensors and texts; the file appears under its name only when it is complete.
  ///
  /// Equal tensors give equal files: names are sorted, and wider element types come first so that
  /// every tensor is aligned.
  ///
  /// - Throws: `FileError` if the system refuses.
  public static func write(
    _ tensors: [String: StoredTensor], metadata: [String: String] = [:], to path: String
  ) throws(FileError) {
    guard tensors["__metadata__"] == nil else {
      throw FileError(
        .unsupported, path: path, item: "__metadata__",
        problem: "is a name that the format keeps for itself", advice: "rename the tensor")
    }
    let ordered = tensors.sorted {
      ($1.value.elementType.byteCount, $0.key) < ($0.value.elementType.byteCount, $1.key)
    }
    let header = header(of: ordered, metadata: metadata)
    try AtomicFile.write(to: path) { file throws(FileError) in
      try file.append(littleEndianBytes(UInt64(header.count)))
      try file.append(header)
      for (_, tensor) in ordered {
        try tensor.withUnsafeBytes { bytes throws(FileError) in try file.append(bytes) }
      }
    }
  }

  private static func header(
    of tensors: [(key: String, value: StoredTensor)], metadata: [String: String]
  ) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let texts = metadata.sorted { $0.key < $1.key }.map {
        JSONText.string($0.key) + ":" + JSONText.string($0.value)
      }
      members.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
    }
    var start = 0
    for (name, tensor) in tensors {
      let end = start + tensor.byteCount
      members.append(
        JSONText.string(name) + ":{\"dtype\":\"\(tensor.elementType.safetensorsCode)\",\"shape\":"
          + JSONText.array(tensor.shape) + ",\"data_offsets\":[\(start),\(end)]}")
      start = end
    }
    var header = Array("{\(members.joined(separator: ","))}".utf8)
    // The length itself takes eight bytes, so that the data starts at a multiple of eight.
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    return header
  }
}

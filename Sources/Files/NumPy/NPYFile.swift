/// Reads and writes npy files: one array each.
public enum NPYFile {
  /// Reads an array; in row-major order it is a view of the mapped file.
  ///
  /// - Throws: `FileError` if the file cannot be opened or is not a valid npy file.
  public static func read(path: String) throws(FileError) -> StoredTensor {
    let bytes = try MappedFile.bytes(path: path)
    let header = try NPYHeader(bytes, path: path, part: "array")
    return try header.stored(in: bytes, path: path, part: "array")
  }

  /// Writes an array; the file appears under its name only when it is complete.
  ///
  /// - Throws: `FileError` if NumPy has no such type or the system refuses.
  public static func write(_ tensor: StoredTensor, to path: String) throws(FileError) {
    let header = try header(for: tensor, path: path, part: "array")
    try AtomicFile.write(to: path) { file throws(FileError) in
      try file.append(header)
      try tensor.withUnsafeBytes { bytes throws(FileError) in try file.append(bytes) }
    }
  }

  static func header(
    for tensor: StoredTensor, path: String, part: String
  ) throws(FileError) -> [UInt8] {
    guard let header = NPYHeader.bytes(for: tensor) else {
      throw FileError(
        .unsupported, path: path, item: part,
        problem: "is \(tensor.elementType.rawValue), which NumPy does not have",
        advice: "write it as float32, or to a safetensors file")
    }
    return header
  }
}

/// A safetensors file, mapped into memory: opening it reads the header only.
public struct SafetensorsFile: TensorFile {
  /// The path that it was opened by.
  public let path: String
  /// The names of all tensors, sorted.
  public let names: [String]
  /// The texts stored beside the tensors.
  public var metadata: [String: String] { header.metadata }

  private let header: SafetensorsHeader
  private let data: Bytes

  /// Opens a file and checks its header against its size.
  ///
  /// - Throws: `FileError` if it cannot be opened or is not a valid safetensors file.
  public init(path: String) throws(FileError) {
    let bytes = try MappedFile.bytes(path: path)
    self.path = path
    header = try SafetensorsHeader(bytes, path: path)
    names = header.entries.keys.sorted()
    data = bytes[header.dataStart..<bytes.count]
  }

  /// Gives a view of one tensor; its bytes are loaded when they are looked at.
  ///
  /// - Throws: `FileError` if there is no such tensor.
  public func storedTensor(named name: String) throws(FileError) -> StoredTensor {
    guard let entry = header.entries[name] else { throw missing(name) }
    return StoredTensor(entry.elementType, shape: entry.shape, bytes: data[entry.range])
  }
}

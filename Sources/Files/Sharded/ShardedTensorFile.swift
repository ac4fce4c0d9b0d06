import Configuration

/// Tensors spread over several files by an index, as in `model.safetensors.index.json` and
/// `pytorch_model.bin.index.json` of the Hugging Face layout.
public struct ShardedTensorFile: TensorFile {
  /// The path of the index.
  public let path: String
  /// The names of all tensors, sorted.
  public let names: [String]
  private let fileNames: [String: String]
  private let files: [String: any TensorFile]

  private static let maxIndexByteCount = 100_000_000
  private static let maxFileCount = 10_000

  /// Opens an index and all files that it names, which lie in the same folder.
  ///
  /// - Throws: `FileError` if one of them cannot be opened or lacks a tensor.
  public init(indexPath path: String) throws(FileError) {
    let bytes = try MappedFile.bytes(path: path)
    guard bytes.count <= ShardedTensorFile.maxIndexByteCount else {
      throw FileError(.tooLarge, path: path, problem: "has more bytes than an index can need")
    }
    let fileNames = try ShardedTensorFile.fileNames(in: bytes, path: path)
    var files: [String: any TensorFile] = [:]
    for fileName in Set(fileNames.values).sorted() {
      files[fileName] = try ShardedTensorFile.open("\(path.folder)/\(fileName)")
    }
    let held = files.mapValues { Set($0.names) }
    for (name, fileName) in fileNames.sorted(by: { $0.key < $1.key }) {
      guard let file = files[fileName], held[fileName]?.contains(name) == false else { continue }
      throw file.missing(name)
    }
    self.path = path
    self.fileNames = fileNames
    self.files = files
    names = fileNames.keys.sorted()
  }

  /// Gives a view of one tensor.
  ///
  /// - Throws: `FileError` if there is no such tensor.
  public func storedTensor(named name: String) throws(FileError) -> StoredTensor {
    guard let fileName = fileNames[name], let file = files[fileName] else { throw missing(name) }
    return try file.storedTensor(named: name)
  }

  /// A shard is what its name says.
  private static func open(_ path: String) throws(FileError) -> any TensorFile {
    path.hasSuffix(".bin") ? try PyTorchFile(path: path) : try SafetensorsFile(path: path)
  }

  private static func fileNames(in bytes: Bytes, path: String) throws(FileError) -> [String: String]
  {
    var scanner = JSONScanner(bytes, path: path, part: "index")
    var fileNames: [String: String] = [:]
    var hasMap = false
    try scanner.object { scanner, key throws(FileError) in
      guard key == "weight_map" else { return try scanner.skipValue() }
      hasMap = true
      try scanner.object { scanner, name throws(FileError) in
        let fileName = try scanner.string()
        try check(fileName, path: path, name: name)
        fileNames[name] = fileName
      }
    }
    try scanner.end()
    guard hasMap else {
      throw FileError(
        .malformed, path: path, problem: "has no weight_map",
        advice: "name the index of a sharded model")
    }
    guard Set(fileNames.values).count <= maxFileCount else {
      throw FileError(.tooLarge, path: path, problem: "names more than \(maxFileCount) files")
    }
    return fileNames
  }

  /// An index may only lead to its own folder.
  private static func check(
    _ fileName: String, path: String, name: String
  ) throws(FileError) {
    let isPlain = !fileName.contains("/") && !fileName.contains("\0") && !fileName.hasPrefix(".")
    guard isPlain, !fileName.isEmpty else {
      throw FileError(
        .malformed, path: path, item: name,
        problem: "lies in '\(fileName.printable(limit: 100))', which is not a plain file name",
        advice: "shards lie beside their index")
    }
  }
}

/// Tensors spread over several safetensors files by an index, as in `model.safetensors.index.json`
/// of the Hugging Face layout.
public struct ShardedSafetensorsFile: TensorFile {
  /// The path of the index.
  public let path: String
  /// The names of all tensors, sorted.
  public let names: [String]
  private let fileNames: [String: String]
  private let files: [String: SafetensorsFile]

  private static let mostIndexByteCount = 100_000_000
  private static let mostFileCount = 10_000

  /// Opens an index and all files that it names, which lie in the same folder.
  ///
  /// - Throws: `FileError` if one of them cannot be opened or lacks a tensor.
  public init(indexPath path: String) throws(FileError) {
    let bytes = try MappedFile.bytes(path: path)
    guard bytes.count <= ShardedSafetensorsFile.mostIndexByteCount else {
      throw FileError(.tooLarge, path: path, problem: "has more bytes than an index can need")
    }
    let fileNames = try ShardedSafetensorsFile.fileNames(in: bytes, path: path)
    var files: [String: SafetensorsFile] = [:]
    for fileName in Set(fileNames.values).sorted() {
      files[fileName] = try SafetensorsFile(path: "\(path.folder)/\(fileName)")
    }
    for (name, fileName) in fileNames.sorted(by: { $0.key < $1.key }) {
      guard let file = files[fileName] else { continue }
      _ = try file.storedTensor(named: name)
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
        advice: "name the index of a sharded safetensors model")
    }
    guard Set(fileNames.values).count <= mostFileCount else {
      throw FileError(.tooLarge, path: path, problem: "names more than \(mostFileCount) files")
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
        problem: "lies in '\(fileName.printable(most: 100))', which is not a plain file name",
        advice: "shards lie beside their index")
    }
  }
}

import Configuration
import Glibc

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

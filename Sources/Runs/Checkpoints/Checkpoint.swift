import Files
import Tensors

/// All that a run needs to go on: tensors, and texts such as counters and random streams in JSON.
public struct Checkpoint: Sendable {
  /// The number of finished iterations.
  public var iteration: Int
  /// Weights, optimizer moments, environment states, by name.
  public var tensors: [String: StoredTensor]
  /// Texts by name.
  public var metadata: [String: String]

  /// Makes a checkpoint.
  ///
  /// - Parameters:
  ///   - iteration: the number of finished iterations.
  ///   - tensors: tensors by name.
  ///   - metadata: texts by name; `attune.` names are kept for the checkpoint itself.
  public init(
    iteration: Int, tensors: [String: StoredTensor] = [:], metadata: [String: String] = [:]
  ) {
    precondition(iteration >= 0, "iteration \(iteration) is negative")
    self.iteration = iteration
    self.tensors = tensors
    self.metadata = metadata
  }

  /// The bytes of all tensors.
  public var byteCount: Int { tensors.values.reduce(0) { $0 + $1.byteCount } }

  /// Adds tensors as float32, each under `prefix` and its name.
  public mutating func add(_ tensors: [String: Tensor], prefix: String = "") {
    for (name, tensor) in tensors { self.tensors[prefix + name] = StoredTensor(tensor) }
  }

  /// The tensors whose names start with `prefix`, as float32, by the rest of their names.
  public func tensors(prefix: String) -> [String: Tensor] {
    var found: [String: Tensor] = [:]
    for (name, tensor) in tensors where name.hasPrefix(prefix) {
      found[String(name.dropFirst(prefix.count))] = Tensor(tensor)
    }
    return found
  }
}

extension Checkpoint {
  static let iterationKey = "attune.iteration"
  private static let checksumKey = "attune.checksum"

  /// Writes the checkpoint as a safetensors file that appears only when it is complete.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(to path: String) throws(FileError) {
    var texts = metadata
    texts[Self.iterationKey] = String(iteration)
    texts[Self.checksumKey] = nil
    texts[Self.checksumKey] = Self.checksum(tensors, texts)
    try SafetensorsFile.write(tensors, metadata: texts, to: path)
  }

  /// Reads a checkpoint and checks every byte of it.
  ///
  /// - Throws: `FileError` if it cannot be read, is damaged or is not a training checkpoint.
  public init(path: String) throws(FileError) {
    let file = try SafetensorsFile(path: path)
    var metadata = file.metadata
    guard let checksum = metadata.removeValue(forKey: Self.checksumKey),
      let iteration = metadata[Self.iterationKey].flatMap({ Int($0) }), iteration >= 0
    else {
      throw FileError(
        .unsupported, path: path, problem: "is not a checkpoint of a training run",
        advice: "name a file from the checkpoints folder of a run")
    }
    var tensors: [String: StoredTensor] = [:]
    for name in file.names { tensors[name] = try file.storedTensor(named: name) }
    guard Self.checksum(tensors, metadata) == checksum else {
      throw FileError(
        .malformed, path: path, problem: "its contents do not match its checksum",
        advice: "the file is damaged; use an earlier one")
    }
    metadata[Self.iterationKey] = nil
    self.init(iteration: iteration, tensors: tensors, metadata: metadata)
  }

  /// A check of all names, shapes, bytes and texts.
  private static func checksum(
    _ tensors: [String: StoredTensor], _ metadata: [String: String]
  ) -> String {
    var crc = CRC32C()
    func append(_ text: String) { Array("\(text)\0".utf8).withUnsafeBytes { crc.append($0) } }
    for (key, text) in metadata.sorted(by: { $0.key < $1.key }) {
      append(key)
      append(text)
    }
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      append("\(name) \(tensor)")
      tensor.withUnsafeBytes { crc.append($0) }
    }
    return String(crc.value, radix: 16)
  }
}

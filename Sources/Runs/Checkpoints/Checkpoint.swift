import Files
import Foundation
import Glibc
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

  /// A check of the tensors alone.
  var tensorChecksum: String { Self.checksum(tensors, [:]) }

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

/// The last few checkpoints of a run, in files called `iteration-000120.safetensors`.
public struct CheckpointFolder: Sendable {
  /// The path of the folder.
  public let path: String
  /// How many of the last checkpoints stay.
  public let keptCount: Int

  /// Manages a folder that exists.
  public init(path: String, keptCount: Int = 2) {
    precondition(keptCount > 0, "kept \(keptCount) checkpoints, expected at least 1")
    self.path = path
    self.keptCount = keptCount
  }

  /// The path of an iteration's checkpoint, whether or not there is one.
  public func path(ofIteration iteration: Int) -> String {
    let digits = String(iteration)
    let zeros = String(repeating: "0", count: max(0, 6 - digits.count))
    return "\(path)/iteration-\(zeros)\(digits).safetensors"
  }

  /// The iterations that have a checkpoint, valid or not, in ascending order.
  public var iterations: [Int] {
    FolderListing.names(in: path).compactMap { name in
      guard let digits = name.wholeMatch(of: #/iteration-(\d{6,})\.safetensors/#)?.output.1,
        let iteration = Int(digits), self.path(ofIteration: iteration) == "\(path)/\(name)"
      else { return nil }
      return iteration
    }.sorted()
  }

  /// Writes a checkpoint, then removes those that are older than the last few.
  ///
  /// Checkpoints of later iterations are removed too: they are what an earlier attempt left,
  /// damaged or given up.
  ///
  /// - Parameter checkpoint: what to write.
  /// - Throws: `FileError` if the system refuses; the earlier checkpoints are then still there.
  public func save(_ checkpoint: Checkpoint) throws(FileError) {
    try checkpoint.write(to: path(ofIteration: checkpoint.iteration))
    let iterations = iterations
    let kept = iterations.filter { $0 <= checkpoint.iteration }.suffix(keptCount)
    // One that cannot be removed does no harm.
    for iteration in iterations where !kept.contains(iteration) {
      unlink(path(ofIteration: iteration))
    }
  }

  /// The newest checkpoint that is whole; damaged ones are passed over.
  ///
  /// - Parameter warn: is told about each damaged file.
  /// - Returns: nil if there is none.
  public func latest(warn: (String) -> Void) -> Checkpoint? {
    for iteration in iterations.reversed() {
      do {
        return try Checkpoint(path: path(ofIteration: iteration))
      } catch {
        warn("\(error); taking the checkpoint before it")
      }
    }
    return nil
  }

  /// The path of the newest checkpoint, for messages; nil if there is none.
  public var latestPath: String? { iterations.last.map(path(ofIteration:)) }
}

/// What a checkpoint says about its run, read without its tensors.
public struct CheckpointSummary: Sendable {
  /// The number of finished iterations.
  public let iteration: Int
  /// Where the run's time went until then; nil if the checkpoint does not tell.
  public let times: TimeBreakdown?

  /// Reads the file's header; its tensors are not checked.
  ///
  /// - Throws: `FileError` if it cannot be read or is not a training checkpoint.
  public init(path: String) throws(FileError) {
    let metadata = try SafetensorsFile(path: path).metadata
    guard let iteration = metadata[Checkpoint.iterationKey].flatMap({ Int($0) }) else {
      throw FileError(.unsupported, path: path, problem: "is not a checkpoint of a training run")
    }
    self.iteration = iteration
    times = metadata[TimeBreakdown.checkpointKey].flatMap {
      try? JSONDecoder().decode(TimeBreakdown.self, from: Data($0.utf8))
    }
  }
}

import Configuration
import Files
import Foundation
import Tensors

/// What a run folder tells about its run besides the settings: `run.json`.
public struct RunRecord: Codable, Sendable, Equatable {
  /// Settings that were changed when the run was resumed.
  public struct Resumption: Codable, Sendable, Equatable {
    /// The iteration of the checkpoint that the run was resumed from; 0 for none.
    public let iteration: Int
    /// What has another value since then.
    public let changes: [SettingChange]
  }

  /// What computed a run's matrix products.
  public struct Computing: Codable, Sendable, Equatable {
    /// The precision that was asked for.
    public let precision: String
    /// What it was computed by, as in "bfloat16 (AMX)".
    public let kernel: String
    /// On which processor.
    public let processor: String

    /// This process on this machine.
    public init(_ precision: Precision) {
      self.precision = precision.rawValue
      kernel = precision.kernelName
      processor = ComputingDescription.processorName
    }
  }

  /// The command without its flags, as in "policy finetune".
  public let command: String
  /// What computed it when it was last started or resumed; nil in folders of earlier versions.
  public internal(set) var computing: Computing?
  /// The times that settings were changed, in order.
  public private(set) var resumptions: [Resumption]

  /// A run of a command, from its start.
  public init(command: String, computing: Computing? = nil) {
    self.command = command
    self.computing = computing
    resumptions = []
  }

  /// Where a run folder has it.
  public static func path(in folder: String) -> String { "\(folder)/run.json" }

  /// Reads a run folder's record; nil where there is none, as in folders of earlier versions.
  ///
  /// - Throws: `FileError` if it cannot be read.
  public static func read(in folder: String) throws(FileError) -> RunRecord? {
    let path = path(in: folder)
    guard access(path, F_OK) == 0 else { return nil }
    let text = try TextFile.read(path: path)
    do {
      return try JSONDecoder().decode(RunRecord.self, from: Data(text.utf8))
    } catch {
      throw FileError(
        .malformed, path: path, problem: "is not the record of a run",
        advice: "remove it: the settings tell which command it was")
    }
  }

  /// Adds changes; those of an attempt that came no further than the same iteration are replaced.
  mutating func add(_ changes: [SettingChange], after iteration: Int) {
    resumptions.removeAll { $0.iteration >= iteration }
    resumptions.append(Resumption(iteration: iteration, changes: changes))
  }

  /// Writes the record into a run folder.
  func write(in folder: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(self), as: UTF8.self)
    try AtomicFile.write(text + "\n", to: Self.path(in: folder))
  }
}

/// Something outside the run folder that a run's weights are learned from or evaluated by.
public struct RunInput: Sendable, Equatable {
  /// The setting that names it.
  public let key: String
  /// Where it lies now.
  public let path: String
  /// Depends on its content alone.
  public let fingerprint: String
  /// Whether another content is only told: a program may be mended while a run is stopped.
  public let mayChange: Bool

  /// An input whose fingerprint is known.
  public init(key: String, path: String, fingerprint: String, mayChange: Bool = false) {
    self.key = key
    self.path = path
    self.fingerprint = fingerprint
    self.mayChange = mayChange
  }

  /// A file or folder as it is; nil where there is none, which its reader tells better.
  ///
  /// - Throws: `FileError` if it cannot be read.
  public init?(key: String, contentsOf path: String, mayChange: Bool = false) throws(FileError) {
    guard let fingerprint = try ContentFingerprint.of(path) else { return nil }
    self.init(key: key, path: path, fingerprint: fingerprint, mayChange: mayChange)
  }
}

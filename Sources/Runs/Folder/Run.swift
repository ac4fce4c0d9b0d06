import Configuration
import Files
import Foundation
import Tensors

/// A training run that is going on: its folder, configuration, metrics, events and checkpoints.
///
/// One thread uses it: the one with the training loop. Where several processes train together, each
/// has it, and the first one writes.
public final class Run<Configuration: RunConfiguration> {
  /// The folder.
  public let folder: RunFolder
  /// The resolved settings, as they lie in the folder.
  public let configuration: Configuration
  /// The checkpoint that the run goes on from; nil if it starts anew.
  public let resumed: Checkpoint?
  /// The command that it is of, as in "policy finetune".
  public var command: String { record.command }
  /// The checkpoints.
  public let checkpoints: CheckpointFolder
  /// What is said on standard error.
  public let log: RunLog
  /// Where the time went, in this process and those before it.
  public var times: TimeBreakdown
  /// The processes that train together.
  public let communicator: any Communicator
  /// Nil where another process writes.
  private let writers: (metrics: MetricsWriter, events: EventWriter)?
  private static var stepKey: String { "run.step" }
  private static var settingsKey: String { "run.settings" }
  private static var arithmeticKey: String { "run.arithmetic" }
  private static var inputPrefix: String { "run.input." }
  private var step: Int
  private var record: RunRecord
  /// Whether settings or record are not yet in the folder.
  private var hasNewSettings = false
  /// The fingerprints of what was read from outside the folder, by key.
  private var inputs: [String: String]

  /// Whether this process writes the folder.
  public var isWriting: Bool { writers != nil }

  /// The first iteration that is left to do, counted from one.
  public var firstIteration: Int { (resumed?.iteration ?? 0) + 1 }

  /// The first iteration whose metrics are left to write: 0, the state before the first one, in a
  /// run that starts at its start.
  private var firstRecordedIteration: Int { resumed.map { $0.iteration + 1 } ?? 0 }

  /// Starts a run in a new folder.
  ///
  /// - Parameters:
  ///   - path: the folder; made with those above it.
  ///   - configuration: the settings, which are written there.
  ///   - command: the command without its flags, as in "policy finetune".
  ///   - keptCheckpointCount: how many of the last checkpoints stay.
  ///   - communicator: the processes that train together; this is the first, the others `join`.
  ///   - log: where the run speaks.
  /// - Throws: `RunFolderError` if a run is there already; `FileError` if the system refuses.
  public static func start(
    at path: String, configuration: Configuration, command: String,
    keptCheckpointCount: Int = 2, communicator: any Communicator = SingleProcess(),
    log: RunLog = RunLog()
  ) throws -> Run {
    let folder = try RunFolder.create(at: path, configuration: configuration, command: command)
    let record = RunRecord(command: command, computing: .init(configuration.precision))
    return try Run(
      folder: folder, configuration: configuration, record: record, resumed: nil,
      keptCheckpointCount: keptCheckpointCount, communicator: communicator, log: log)
  }

  /// Takes part in the run that the first process starts or resumes, by its settings.
  ///
  /// - Parameters:
  ///   - communicator: the processes that train together.
  ///   - log: where the run speaks.
  /// - Throws: `RunFolderError` if its folder is not to be seen from here; `FileError` if its
  ///   checkpoint cannot be read.
  public static func join(
    _ communicator: any Communicator, log: RunLog = RunLog()
  ) throws -> Run {
    let opened = try JSONDecoder().decode(
      OpenedRun.self, from: Data(try communicator.fromFirst([])))
    return try Run(opened, communicator: communicator, log: log)
  }

  /// Starts a run in a folder, or goes on with the one that is there, by settings that may differ
  /// in what
  /// `Configuration.changeableOnResume` lists.
  ///
  /// - Parameters:
  ///   - path: the folder.
  ///   - configuration: the settings.
  ///   - command: what the run is of, as in "policy finetune".
  ///   - keptCheckpointCount: how many of the last checkpoints stay.
  ///   - log: where the run speaks.
  /// - Throws: `ConfigurationError` for a bad setting; `RunFolderError` if the folder cannot be
  ///   used, or if another setting was changed; `FileError` if the system refuses.
  public static func open(
    at path: String, _ configuration: Configuration, command: String,
    keptCheckpointCount: Int = 2, communicator: any Communicator = SingleProcess(),
    log: RunLog = RunLog()
  ) throws -> Run {
    // Checked as if they had been read.
    let configuration = try Configuration.decode(yaml: configuration.yaml(), file: "the settings")
    guard RunFolder.isRun(at: path) else {
      return try start(
        at: path, configuration: configuration, command: command,
        keptCheckpointCount: keptCheckpointCount, communicator: communicator, log: log)
    }
    return try resume(
      RunFolder.resume(at: path), configuration: configuration, command: command,
      keptCheckpointCount: keptCheckpointCount, communicator: communicator, log: log)
  }

  /// Goes on with a run from its newest valid checkpoint, by the settings that the run had there.
  ///
  /// A run that was stopped before its first checkpoint starts from the beginning, and says so; its
  /// settings may then be any.
  ///
  /// - Parameters:
  ///   - path: the run folder.
  ///   - command: the command without its flags, which a folder of an earlier version does not
  ///     tell.
  ///   - overrides: settings to change, as in a larger iteration count.
  ///   - keptCheckpointCount: how many of the last checkpoints stay.
  ///   - log: where the run speaks.
  /// - Throws: `RunFolderError` if the folder cannot be used, or if a setting is changed that
  ///   `Configuration.changeableOnResume` does not list; `ConfigurationError` for a bad setting;
  ///   `FileError` if the system refuses.
  public static func resume(
    at path: String, command: String, overrides: [String] = [], keptCheckpointCount: Int = 2,
    communicator: any Communicator = SingleProcess(), log: RunLog = RunLog()
  ) throws -> Run {
    let folder = try RunFolder.resume(at: path)
    let configuration = try Configuration.load(
      from: folder.configurationPath, overrides: overrides)
    let run = try resume(
      folder, configuration: configuration, command: command,
      acceptsArithmetic: overrides.contains { $0.hasPrefix("precision=") },
      keptCheckpointCount: keptCheckpointCount, communicator: communicator, log: log)
    if !overrides.isEmpty { run.hasNewSettings = true }
    return run
  }

  private static func resume(
    _ folder: RunFolder, configuration: Configuration, command: String,
    acceptsArithmetic: Bool = false, keptCheckpointCount: Int,
    communicator: any Communicator, log: RunLog
  ) throws -> Run {
    let checkpoints = CheckpointFolder(path: folder.checkpointsPath)
    let resumed = checkpoints.latest(warn: log.warn)
    if resumed == nil, !checkpoints.iterations.isEmpty {
      throw RunFolderError.noCheckpoint(path: folder.path)
    }
    if resumed == nil {
      log.info("\(folder.path.printable) has no checkpoint yet and starts from its beginning")
    }
    let changes = try changes(to: configuration, since: resumed, in: folder)
    let isAccepted = acceptsArithmetic || changes.contains { $0.key == "precision" }
    try checkArithmetic(
      of: resumed, configuration.precision, isAccepted: isAccepted, in: folder, log: log)
    let known = try RunRecord.read(in: folder.path)
    var record = known ?? RunRecord(command: command)
    record.computing = .init(configuration.precision)
    if !changes.isEmpty {
      record.add(changes, after: resumed?.iteration ?? 0)
      for change in changes { log.info("changed: \(change)") }
    }
    let run = try Run(
      folder: folder, configuration: configuration, record: record, resumed: resumed,
      keptCheckpointCount: keptCheckpointCount, communicator: communicator, log: log)
    run.hasNewSettings = !changes.isEmpty || record != known
    return run
  }

  /// Compares what computed a checkpoint's products with what would compute those to come.
  ///
  /// - Throws: `RunFolderError.changedArithmetic` if they would have other digits and the user did not
  ///   say so.
  private static func checkArithmetic(
    of resumed: Checkpoint?, _ precision: Precision, isAccepted: Bool, in folder: RunFolder,
    log: RunLog
  ) throws {
    guard let resumed else { return }
    // Earlier versions had no other.
    let before = resumed.metadata[arithmeticKey] ?? "float32"
    guard before != precision.arithmetic else { return }
    guard isAccepted else {
      throw RunFolderError.changedArithmetic(
        path: folder.path, precision: precision, before: before)
    }
    log.warn(
      "products were computed in \(before) and are in \(precision.arithmetic) from now on; the run "
        + "is not the one that it would have been")
  }

  /// What is to be otherwise than when the checkpoint was written.
  ///
  /// - Throws: `RunFolderError.changedSettings` if some of it must not.
  private static func changes(
    to configuration: Configuration, since resumed: Checkpoint?, in folder: RunFolder
  ) throws -> [SettingChange] {
    // Checkpoints of earlier versions do not have the settings: the folder's are taken for them.
    let before =
      try resumed?.metadata[settingsKey].map {
        try Configuration.decode(yaml: $0, file: "the settings in the checkpoint")
      } ?? Configuration.load(from: folder.configurationPath)
    let changes = try SettingChange.between(before, configuration)
    let refused = changes.filter { !Configuration.changeableOnResume.allows($0.key) }
    guard resumed == nil || refused.isEmpty else {
      throw RunFolderError.changedSettings(path: folder.path, refused)
    }
    return changes
  }

  private init(
    folder: RunFolder, configuration: Configuration, record: RunRecord, resumed: Checkpoint?,
    keptCheckpointCount: Int, communicator: any Communicator, log: RunLog
  ) throws {
    self.communicator = communicator
    self.folder = folder
    self.configuration = configuration
    self.record = record
    inputs = Self.inputs(of: resumed)
    self.resumed = resumed
    self.log = log
    checkpoints = CheckpointFolder(path: folder.checkpointsPath, keptCount: keptCheckpointCount)
    times =
      try resumed?.metadata[TimeBreakdown.checkpointKey].map {
        try JSONDecoder().decode(TimeBreakdown.self, from: Data($0.utf8))
      } ?? TimeBreakdown()
    step = resumed?.metadata[Self.stepKey].flatMap { Int($0) } ?? 0
    let metrics = try MetricsWriter(
      path: folder.metricsPath, resumingAfter: resumed?.iteration ?? -1)
    let hasEvents = FolderListing.names(in: folder.path).contains { $0.hasPrefix("events.out") }
    writers = (
      metrics, try EventWriter(folder: folder.path, resumingAfter: hasEvents ? step : nil)
    )
    guard communicator.processCount > 1 else { return }
    _ = try communicator.fromFirst(
      [UInt8](
        try JSONEncoder().encode(
          OpenedRun(
            path: folder.path, configuration: try configuration.yaml(), record: record,
            resumedIteration: resumed?.iteration))))
  }

  /// A run that another process has opened and writes.
  private init(_ opened: OpenedRun, communicator: any Communicator, log: RunLog) throws {
    self.communicator = communicator
    folder = try RunFolder.join(at: opened.path)
    configuration = try Configuration.decode(
      yaml: opened.configuration, file: "the settings of the run")
    record = opened.record
    checkpoints = CheckpointFolder(path: folder.checkpointsPath)
    resumed = try opened.resumedIteration.map {
      try Checkpoint(
        path: CheckpointFolder(path: "\(opened.path)/checkpoints").path(ofIteration: $0))
    }
    inputs = Self.inputs(of: resumed)
    times = TimeBreakdown()
    step = 0
    writers = nil
    self.log = log
  }

  private static func inputs(of checkpoint: Checkpoint?) -> [String: String] {
    var inputs: [String: String] = [:]
    for (key, text) in checkpoint?.metadata ?? [:] where key.hasPrefix(inputPrefix) {
      inputs[String(key.dropFirst(inputPrefix.count))] = text
    }
    return inputs
  }

  /// Writes the numbers of an iteration to `metrics.jsonl` and to TensorBoard.
  ///
  /// - Parameters:
  ///   - record: the numbers; equal in a resumed run.
  ///   - times: numbers for TensorBoard alone, such as seconds and rates.
  /// - Throws: `FileError` if the system refuses, for instance because the disk is full.
  public func write(_ record: MetricsRecord, times: [String: Double] = [:]) throws {
    precondition(
      record.iteration >= firstRecordedIteration, "iteration \(record.iteration) is done")
    guard let writers else { return }
    try keepNewSettings()
    step = max(step, record.step)
    try writers.metrics.write(record)
    let scalars = record.values.merging(times) { number, _ in number }
    try writers.events.write(scalars: scalars, step: record.step)
  }

  /// Settings that a run was resumed with take the place of those in the folder once they have
  /// served: a wrong one must not stand in the way of the next attempt.
  private func keepNewSettings() throws {
    guard hasNewSettings else { return }
    try configuration.write(to: folder.configurationPath)
    try record.write(in: folder.path)
    hasNewSettings = false
  }

  /// Writes an image to `images/` and to TensorBoard.
  ///
  /// - Parameters:
  ///   - png: the bytes of a PNG file.
  ///   - name: the image's name; the file is called `name-000120.png`.
  ///   - iteration: the iteration that it belongs to; nil for an image that a run has once,
  ///     `name.png`.
  /// - Throws: `FileError` if the system refuses.
  public func write(png: Data, name: String, iteration: Int? = nil) throws(FileError) {
    guard let writers else { return }
    try AtomicFile.write(Array(png), to: imagePath(name, iteration: iteration))
    try writers.events.write(png: png, tag: name, step: step)
  }

  /// Where `write(png:name:iteration:)` writes.
  public func imagePath(_ name: String, iteration: Int? = nil) -> String {
    "\(folder.imagesPath)/\(Self.fileName(name, iteration)).png"
  }

  /// Where a video of that name belongs, in `videos/`.
  public func videoPath(_ name: String, iteration: Int? = nil) -> String {
    "\(folder.videosPath)/\(Self.fileName(name, iteration)).mp4"
  }

  private static func fileName(_ name: String, _ iteration: Int?) -> String {
    guard let iteration else { return name }
    let digits = String(iteration)
    return "\(name)-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  /// Notes what the run reads from outside its folder; every checkpoint tells its fingerprints. A
  /// resumed run must find what it was started with, wherever that lies now.
  ///
  /// A checkpoint of an earlier version knows no fingerprints: inputs are then taken as they are,
  /// and that is said.
  ///
  /// - Parameter found: the inputs as they are now.
  /// - Throws: `RunFolderError.changedInput` if one holds something else than at the start.
  public func require(_ found: [RunInput]) throws(RunFolderError) {
    var unknown: [String] = []
    for input in found {
      let before = inputs[input.key]
      if let before, before != input.fingerprint {
        guard input.mayChange else {
          throw .changedInput(path: folder.path, input, before: before)
        }
        log.warn(
          "\(input.path.printable), which '\(input.key)' names, has changed since the run was "
            + "started")
      }
      if before == nil, resumed != nil { unknown.append("'\(input.key)'") }
      inputs[input.key] = input.fingerprint
    }
    guard !unknown.isEmpty else { return }
    log.warn(
      "the checkpoint of \(folder.path.printable) does not tell what it was learned from; "
        + "\(unknown.joined(separator: ", ")) taken as found now")
  }

  /// Whether the checkpoint that the run goes on from tells the fingerprint of an input.
  public func knowsInput(_ key: String) -> Bool {
    resumed?.metadata[Self.inputPrefix + key] != nil
  }

  /// Refuses to begin where the disk has no room for what will surely be written.
  ///
  /// - Parameters:
  ///   - checkpoint: one as large as those to come.
  ///   - count: how many more will be written.
  /// - Throws: `FileError` if there is too little room.
  public func requireRoom(for checkpoint: Checkpoint, count: Int) throws(FileError) {
    guard isWriting else { return }
    var status = statvfs()
    // What a system does not tell is found out when it is written.
    guard statvfs(folder.path, &status) == 0 else { return }
    // While one is written, those that are kept are still there.
    let existing = min(checkpoints.keptCount, checkpoints.iterations.count)
    let atOnce = min(count, checkpoints.keptCount + 1 - existing)
    let needed = atOnce * checkpoint.byteCount
    let free = Int(status.f_bavail) * Int(status.f_frsize)
    guard needed > free else { return }
    throw FileError(
      .system, path: folder.path,
      problem: "No space left on device: its checkpoints need \((needed >> 10).grouped) kB, "
        + "\((free >> 10).grouped) kB are free",
      advice: "free some space there, or choose another --output")
  }

  /// Saves a checkpoint; the metrics reach the disk before it.
  ///
  /// - Parameter checkpoint: all that the run needs to go on.
  /// - Throws: `FileError` if the system refuses; the earlier checkpoints are then still there.
  public func save(_ checkpoint: Checkpoint) throws {
    try requireSame(checkpoint)
    guard let writers else { return }
    var checkpoint = checkpoint
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    checkpoint.metadata[TimeBreakdown.checkpointKey] = String(
      decoding: try encoder.encode(times), as: UTF8.self)
    checkpoint.metadata[Self.stepKey] = String(step)
    checkpoint.metadata[Self.settingsKey] = try configuration.yaml()
    checkpoint.metadata[Self.arithmeticKey] = configuration.precision.arithmetic
    for (key, fingerprint) in inputs { checkpoint.metadata[Self.inputPrefix + key] = fingerprint }
    try keepNewSettings()
    try writers.metrics.synchronize()
    try checkpoints.save(checkpoint)
  }

  /// Refuses to save what processes do not agree on: a bit has flipped, or a processor rounds
  /// otherwise.
  private func requireSame(_ checkpoint: Checkpoint) throws {
    guard communicator.processCount > 1 else { return }
    let sums = try communicator.gather(Array(checkpoint.tensorChecksum.utf8))
    guard let other = sums.firstIndex(where: { $0 != sums[0] }) else { return }
    throw RunFolderError.differentWeights(path: folder.path, rank: other)
  }

  /// Says that the run was interrupted and how to go on.
  ///
  /// - Parameter iteration: the last finished iteration, which has a checkpoint.
  public func reportInterrupted(after iteration: Int) {
    log.info(
      "stopped after iteration \(iteration.grouped); continue with: attune \(command) --resume "
        + folder.path.printable)
  }
}

/// What the first process tells the others of a run that it has opened.
private struct OpenedRun: Codable {
  let path: String
  /// YAML.
  let configuration: String
  let record: RunRecord
  /// Nil where it starts anew.
  let resumedIteration: Int?
}

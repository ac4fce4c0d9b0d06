import Files
import Foundation

/// A training run that is going on: its folder, configuration, metrics, events and checkpoints.
///
/// One thread uses it: the one with the training loop.
public final class Run<Configuration: RunConfiguration> {
  /// The folder.
  public let folder: RunFolder
  /// The resolved settings, as they lie in the folder.
  public let configuration: Configuration
  /// The checkpoint that the run goes on from; nil if it starts anew.
  public let resumed: Checkpoint?
  /// The checkpoints.
  public let checkpoints: CheckpointFolder
  /// What is said on standard error.
  public let log: RunLog
  /// Where the time went, in this process and those before it.
  public var times: TimeBreakdown
  private let metrics: MetricsWriter
  private let events: EventWriter
  private static var stepKey: String { "run.step" }
  private var step: Int
  /// Settings that are not yet in the folder.
  private var newSettings: String?

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
  ///   - keptCheckpointCount: how many of the last checkpoints stay.
  ///   - log: where the run speaks.
  /// - Throws: `RunFolderError` if a run is there already; `FileError` if the system refuses.
  public static func start(
    at path: String, configuration: Configuration, keptCheckpointCount: Int = 2,
    log: RunLog = RunLog()
  ) throws -> Run {
    let folder = try RunFolder.create(at: path, configuration: configuration)
    return try Run(
      folder: folder, configuration: configuration, resumed: nil,
      keptCheckpointCount: keptCheckpointCount, log: log)
  }

  /// Goes on with a run from its newest sound checkpoint, by the settings in its folder.
  ///
  /// A run that was stopped before its first checkpoint starts from the beginning, and says so.
  ///
  /// - Parameters:
  ///   - path: the run folder.
  ///   - overrides: settings to change, as in a larger iteration count.
  ///   - keptCheckpointCount: how many of the last checkpoints stay.
  ///   - log: where the run speaks.
  /// - Throws: `RunFolderError` if the folder cannot be used; `ConfigurationError` for a bad
  ///   setting; `FileError` if the system refuses.
  public static func resume(
    at path: String, overrides: [String] = [], keptCheckpointCount: Int = 2, log: RunLog = RunLog()
  ) throws -> Run {
    let folder = try RunFolder.resume(at: path)
    let configuration = try Configuration.load(
      from: folder.configurationPath, overrides: overrides)
    let checkpoints = CheckpointFolder(path: folder.checkpointsPath)
    let resumed = checkpoints.latest(warn: log.warn)
    if resumed == nil, !checkpoints.iterations.isEmpty {
      throw RunFolderError.noCheckpoint(path: folder.path)
    }
    if resumed == nil {
      log.say("\(folder.path.printable) has no checkpoint yet and starts from its beginning")
    }
    let run = try Run(
      folder: folder, configuration: configuration, resumed: resumed,
      keptCheckpointCount: keptCheckpointCount, log: log)
    if !overrides.isEmpty { run.newSettings = try configuration.yaml() }
    return run
  }

  private init(
    folder: RunFolder, configuration: Configuration, resumed: Checkpoint?,
    keptCheckpointCount: Int, log: RunLog
  ) throws {
    self.folder = folder
    self.configuration = configuration
    self.resumed = resumed
    self.log = log
    checkpoints = CheckpointFolder(path: folder.checkpointsPath, keptCount: keptCheckpointCount)
    times =
      try resumed?.metadata[TimeBreakdown.checkpointKey].map {
        try JSONDecoder().decode(TimeBreakdown.self, from: Data($0.utf8))
      } ?? TimeBreakdown()
    step = resumed?.metadata[Self.stepKey].flatMap { Int($0) } ?? 0
    metrics = try MetricsWriter(
      path: folder.metricsPath, resumingAfter: resumed?.iteration ?? -1)
    let hasEvents = FolderListing.names(in: folder.path).contains { $0.hasPrefix("events.out") }
    events = try EventWriter(folder: folder.path, resumingAfter: hasEvents ? step : nil)
  }

  /// Writes the numbers of an iteration to `metrics.jsonl` and to TensorBoard.
  ///
  /// - Parameters:
  ///   - record: the numbers; equal in a resumed run.
  ///   - times: numbers for TensorBoard alone, such as seconds and rates.
  /// - Throws: `FileError` if the system refuses, for instance because the disk is full.
  public func write(_ record: MetricsRecord, times: [String: Double] = [:]) throws(FileError) {
    precondition(
      record.iteration >= firstRecordedIteration, "iteration \(record.iteration) is done")
    try keepNewSettings()
    step = max(step, record.step)
    try metrics.write(record)
    let scalars = record.values.merging(times) { number, _ in number }
    try events.write(scalars: scalars, step: record.step)
  }

  /// Settings that a run was resumed with take the place of those in the folder once they have
  /// served: a wrong one must not stand in the way of the next attempt.
  private func keepNewSettings() throws(FileError) {
    guard let settings = newSettings else { return }
    try AtomicFile.write(settings, to: folder.configurationPath)
    newSettings = nil
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
    let suffix = iteration.map { iteration in
      let digits = String(iteration)
      return "-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }
    try AtomicFile.write(Array(png), to: "\(folder.imagesPath)/\(name)\(suffix ?? "").png")
    try events.write(png: png, tag: name, step: step)
  }

  /// Saves a checkpoint; the metrics reach the disk before it.
  ///
  /// - Parameter checkpoint: all that the run needs to go on.
  /// - Throws: `FileError` if the system refuses; the earlier checkpoints are then still there.
  public func save(_ checkpoint: Checkpoint) throws {
    var checkpoint = checkpoint
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    checkpoint.metadata[TimeBreakdown.checkpointKey] = String(
      decoding: try encoder.encode(times), as: UTF8.self)
    checkpoint.metadata[Self.stepKey] = String(step)
    try keepNewSettings()
    try metrics.synchronize()
    try checkpoints.save(checkpoint)
  }

  /// Says that the run was interrupted and how to go on.
  ///
  /// - Parameters:
  ///   - iteration: the last finished iteration, which has a checkpoint.
  ///   - command: the command without its flags, as in "attune policy finetune".
  public func sayInterrupted(after iteration: Int, command: String) {
    log.say(
      "stopped after iteration \(iteration.grouped); go on with: \(command) --resume "
        + folder.path.printable)
  }
}

import Runs

/// What a command trains; `TrainingLoop` decides what of it is done when.
protocol TrainingWork {
  /// The settings of its run.
  associatedtype Settings: RunConfiguration
  /// What an iteration says.
  associatedtype Report

  /// Where it is recorded.
  var run: Run<Settings> { get }
  /// Finished iterations.
  var iteration: Int { get }
  /// How many there are to be.
  var iterationCount: Int { get }
  /// Iterations between lines of metrics.
  var reportInterval: Int { get }
  /// Iterations between checkpoints.
  var checkpointInterval: Int { get }
  /// The setting that says so.
  var iterationCountKey: String { get }
  /// What it is all for, as in "policy".
  var resultNoun: String { get }
  /// Where that is.
  var resultPaths: [String] { get }

  /// Looks at what there is before the first iteration.
  mutating func begin() throws
  /// Learns for an iteration.
  mutating func iterate() throws -> Report
  /// Writes a line of metrics; gives a few words for the line of progress.
  mutating func write(_ report: Report, isLast: Bool) throws -> String
  /// Writes a checkpoint.
  func save() throws
  /// Shows what came of it, after the last checkpoint.
  mutating func end() throws
}

extension TrainingWork {
  mutating func begin() throws {}
  mutating func end() throws {}
}

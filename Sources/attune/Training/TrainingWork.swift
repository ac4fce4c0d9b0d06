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

  /// Tries what later iterations and their images will need, before anything is learned; nothing is
  /// written.
  func check() throws
  /// Looks at what there is before the first iteration.
  mutating func begin() throws
  /// Learns for an iteration.
  mutating func iterate() throws -> Report
  /// Writes a line of metrics; gives a few words for the line of progress.
  mutating func write(_ report: Report, isLast: Bool) throws -> String
  /// All that is needed to go on from here.
  func checkpoint() throws -> Checkpoint
  /// Writes what the training is for, as it is now.
  func writeResults() throws
  /// Images and videos that show the present iteration, by their paths.
  var images: [String] { get }
  /// Draws them, after the iteration's checkpoint. What fails here is told, and the training goes on.
  mutating func drawImages() throws
}

extension TrainingWork {
  func check() throws {}
  mutating func begin() throws {}
  var images: [String] { [] }
  mutating func drawImages() throws {}

  /// Writes a checkpoint. Results come first, for a checkpoint says that they are there; where they
  /// cannot be written, the checkpoint still is.
  func save() throws {
    let results = Result { try writeResults() }
    try run.save(try checkpoint())
    try results.get()
  }

  /// How many more checkpoints there will be at least.
  var remainingCheckpointCount: Int {
    max(1, (iterationCount - iteration) / checkpointInterval)
  }
}

import Files
import Foundation
import Runs

/// When a run was started and gone on with, and where its time went.
struct RunHistory {
  /// The starts, in order; each process of a run begins an event file.
  let starts: [Date]
  /// When metrics were last written.
  let lastWritten: Date?
  /// Where the time went until the newest checkpoint that tells; nil if none does.
  let times: TimeBreakdown?
  /// The iterations until then.
  let timedIterationCount: Int
  /// The iterations that have a checkpoint.
  let checkpoints: [Int]

  init(_ run: RunPath) {
    starts = FolderListing.names(in: run.path).compactMap { name in
      name.firstMatch(of: #/^events\.out\.tfevents\.(\d{9,11})\./#)
        .flatMap { Double($0.output.1) }.map(Date.init(timeIntervalSince1970:))
    }.sorted()
    let attributes = try? FileManager.default.attributesOfItem(atPath: run("metrics.jsonl"))
    lastWritten = attributes?[.modificationDate] as? Date
    let folder = CheckpointFolder(path: run("checkpoints"))
    checkpoints = folder.iterations
    // A damaged one is passed over; the one before it tells nearly the same.
    let summary = checkpoints.reversed().lazy
      .compactMap { try? CheckpointSummary(path: folder.path(ofIteration: $0)) }
      .first { $0.times != nil }
    times = summary?.times
    timedIterationCount = summary?.iteration ?? 0
  }
}

import Files
import TestSupport
import Testing

@testable import Runs

@Test func salvagedMetricsLeaveOutDamagedLines() throws {
  let folder = try TemporaryFolder()
  let path = try folder.write(
    """
    {"iteration": 1, "step": 1, "loss": 2}
    {"iteration": 2, "st
    {"iteration": 3, "step": 3, "loss": null}
    {"iteration": 4
    """, to: "metrics.jsonl")
  let (records, damaged) = try MetricsReader.salvage(path: path)
  #expect(records.map(\.iteration) == [1, 3] && damaged == [2, 4])
  #expect(records[1]["loss"]?.isNaN ?? false)
  #expect(throws: FileError.self) { try MetricsReader.salvage(path: folder.path + "/none") }
  let empty = try MetricsReader.salvage(path: try folder.write("", to: "empty.jsonl"))
  #expect(empty.records.isEmpty && empty.damagedLines.isEmpty)
}

@Test func checkpointsTellTheirTimesWithoutTheirTensors() throws {
  let folder = try TemporaryFolder()
  let run = try Run.start(
    at: folder.path + "/run", configuration: SampleConfiguration(),
    command: "test", log: RunLog(isQuiet: true))
  run.times.add(.seconds(3), to: "train")
  try run.save(Checkpoint(iteration: 4))
  let summary = try CheckpointSummary(path: run.checkpoints.path(ofIteration: 4))
  #expect(summary.iteration == 4)
  #expect(summary.times?.seconds == ["train": 3])
  let bare = folder.path + "/bare.safetensors"
  try Checkpoint(iteration: 1).write(to: bare)
  #expect(try CheckpointSummary(path: bare).times == nil)
  #expect(throws: FileError.self) {
    try CheckpointSummary(path: try folder.write("text", to: "x.safetensors"))
  }
}

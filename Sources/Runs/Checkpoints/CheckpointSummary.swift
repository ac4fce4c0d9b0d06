import Files
import Foundation

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

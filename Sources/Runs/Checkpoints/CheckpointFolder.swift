import Files
import Glibc

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

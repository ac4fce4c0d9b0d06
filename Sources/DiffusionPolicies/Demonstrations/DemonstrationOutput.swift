import Files
import Foundation
import RobotData
import Tensors

/// What demonstrations are written as, which the name of the file or folder says.
public enum DemonstrationOutput: String, Sendable, CaseIterable {
  /// DPPO's npz.
  case npz
  /// HDF5 in D4RL's layout.
  case hdf5
  /// The folder of a LeRobot data set, version 3.0.
  case lerobot

  /// What only some layouts have a place for.
  public struct Options: Sendable {
    /// Frames a second of a LeRobot data set; nil for those of the demonstrations.
    public var framesPerSecond: Double?
    /// What was to be done, in words, where the demonstrations do not say.
    public var task: String

    /// Nothing but the task's words.
    public init(framesPerSecond: Double? = nil, task: String) {
      (self.framesPerSecond, self.task) = (framesPerSecond, task)
    }
  }

  /// By an ending `.npz`, `.hdf5` or `.h5`, or none, which is a folder; nil for another ending.
  public init?(path: String) {
    let name = path.split(separator: "/").last.map(String.init) ?? ""
    let ending = name.lowercased().split(separator: ".", omittingEmptySubsequences: false).last
    switch ending {
    case _ where name.isEmpty: return nil
    case _ where !name.contains("."), _ where path.hasSuffix("/"): self = .lerobot
    case "npz": self = .npz
    case "hdf5", "h5": self = .hdf5
    default: return nil
    }
  }

  /// Finds out before the work whether something can be written there.
  ///
  /// - Throws: `FileError` if it cannot.
  public func checkWritable(_ path: String) throws(FileError) {
    guard self == .lerobot else { return try AtomicFile.checkWritable(path) }
    try LeRobotWriter.checkEmpty(path)
  }

  /// Writes demonstrations.
  ///
  /// - Parameters:
  ///   - demonstrations: some episodes.
  ///   - path: the file or folder.
  ///   - options: what they do not say themselves.
  /// - Returns: what the layout has no place for, a sentence each.
  /// - Throws: `FileError` if the system refuses; `DemonstrationError.noFrameRate` if nobody says how
  ///   many frames a second has.
  public func write(
    _ demonstrations: Demonstrations, to path: String, options: Options
  ) throws -> [String] {
    switch self {
    case .npz:
      try demonstrations.write(to: path)
      return []
    case .hdf5: return try demonstrations.writeD4RL(to: path)
    case .lerobot:
      guard let rate = options.framesPerSecond ?? demonstrations.framesPerSecond else {
        throw DemonstrationError.noFrameRate(path: path)
      }
      try demonstrations.writeLeRobot(to: path, framesPerSecond: rate, task: options.task)
      return []
    }
  }
}

extension Demonstrations {
  /// The last step of each episode.
  private var isLast: [Bool] {
    lengths.flatMap { length in (1...length).map { $0 == length } }
  }

  /// Writes D4RL's HDF5: `observations`, `actions`, `terminals`, `timeouts`, and `rewards` if known. An
  /// episode ends there with every terminal, so that terminals before the last step are left out.
  ///
  /// - Returns: what is left out.
  /// - Throws: `FileError` if the system refuses.
  func writeD4RL(to path: String) throws(FileError) -> [String] {
    let isLast = isLast
    var tensors = [
      "observations": StoredTensor(Tensor(shape: [stepCount, stateSize], elements: states)),
      "actions": StoredTensor(Tensor(shape: [stepCount, actionSize], elements: actions)),
      "terminals": StoredTensor(
        shape: [stepCount], booleans: zip(terminals, isLast).map { $0 && $1 }),
      "timeouts": StoredTensor(
        shape: [stepCount], booleans: zip(terminals, isLast).map { !$0 && $1 }),
    ]
    if !rewards.isEmpty { tensors["rewards"] = StoredTensor(Tensor(rewards)) }
    try HDF5File.write(tensors, to: path)
    let inner = zip(terminals, isLast).count { $0 && !$1 }
    return inner > 0
      ? [
        "\(inner.of("terminal")) before the last step of an episode: left out, as an episode of this "
          + "layout ends there"
      ] : []
  }

  /// Writes a LeRobot data set: `observation.state`, `action`, `next.done` at the end of an episode,
  /// `next.terminated` where the task ended, and `next.reward` if known.
  ///
  /// - Throws: `FileError` if something is in the folder or the system refuses.
  func writeLeRobot(
    to folder: String, framesPerSecond: Double, task: String
  ) throws(FileError) {
    var features = [
      LeRobotFeature("observation.state", shape: [stateSize]),
      LeRobotFeature("action", shape: [actionSize]),
      LeRobotFeature("next.done", .bool, shape: [1]),
      LeRobotFeature("next.terminated", .bool, shape: [1]),
    ]
    if !rewards.isEmpty { features.append(LeRobotFeature("next.reward", shape: [1])) }
    var writer = try LeRobotWriter(
      folder: folder, features: features, framesPerSecond: framesPerSecond)
    for (index, steps) in steps.enumerated() {
      let count = steps.count
      func rows(_ values: [Float], _ size: Int) -> StoredTensor {
        StoredTensor(
          Tensor(
            shape: [count, size],
            elements: Array(values[steps.lowerBound * size..<steps.upperBound * size])))
      }
      var values = [
        "observation.state": rows(states, stateSize), "action": rows(actions, actionSize),
        "next.done": StoredTensor(shape: [count, 1], booleans: (1...count).map { $0 == count }),
        "next.terminated": StoredTensor(shape: [count, 1], booleans: Array(terminals[steps])),
      ]
      if !rewards.isEmpty { values["next.reward"] = rows(rewards, 1) }
      let own = tasks.indices.contains(index) ? tasks[index] : ""
      try writer.addEpisode(values, task: own.isEmpty ? task : own)
    }
    try writer.finish()
  }
}

import Environments
import Files
import Foundation
import RobotData
import Tensors

/// What demonstrations are written as, which the name of the file or folder says.
public enum DemonstrationOutput: String, Sendable, CaseIterable {
  /// DPPO's npz.
  case npz
  /// HDF5: robomimic's layout where there are images, else D4RL's, which has no place for them.
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

  /// Finds out before the work whether images of some cameras have a place.
  ///
  /// - Throws: `DemonstrationError.imagesNotHeld` if they have none, with what has one.
  public func check(_ cameras: [Camera], path: String) throws(DemonstrationError) {
    func refusal(_ reason: String, _ advice: String) -> DemonstrationError {
      .imagesNotHeld(path: path, reason: reason, advice: advice)
    }
    switch self {
    case .npz:
      // The reader takes three channels for each camera, or all of them for one.
      guard cameras.count > 1, let first = cameras.first else { return }
      if let other = cameras.first(where: { !$0.hasSize(of: first) }) {
        throw refusal(
          "an npz has one array for all cameras, and images of '\(other.name)' are of another size "
            + "than those of '\(first.name)'", "name an .hdf5 file or a LeRobot folder")
      }
      if let other = cameras.first(where: { $0.channelCount != 3 }) {
        throw refusal(
          "'\(other.name)' has \(other.channelCount.of("channel")), and an npz has three for each of "
            + "\(cameras.count.of("camera"))", "name an .hdf5 file")
      }
    case .hdf5: try requireDifferentNames(cameras, path: path)
    case .lerobot:
      if let other = cameras.first(where: { $0.channelCount != 3 }) {
        throw refusal(
          "'\(other.name)' has \(other.channelCount.of("channel")), and images of LeRobot are RGB",
          "name an .hdf5 file")
      }
      try requireDifferentNames(cameras, path: path)
    }
  }

  private func requireDifferentNames(
    _ cameras: [Camera], path: String
  ) throws(DemonstrationError) {
    var cameraNames: [String: String] = [:]
    for camera in cameras {
      let name = imageName(of: camera)
      if let other = cameraNames.updateValue(camera.name, forKey: name) {
        throw .imagesNotHeld(
          path: path, reason: "'\(other)' and '\(camera.name)' would both be '\(name)' there",
          advice: "name an .npz file")
      }
    }
  }

  /// What the images of a camera are called in the layout.
  func imageName(of camera: Camera) -> String {
    // A slash would be a group in HDF5, and LeRobot allows none.
    let name = camera.name.replacing("/", with: ".")
    switch self {
    case .npz: return "images"
    case .hdf5: return name.hasSuffix("image") ? name : "\(name)_image"
    case .lerobot:
      let prefix = "observation.images."
      return name.hasPrefix(prefix) ? name : prefix + name
    }
  }

  /// Where the images are, and what names them in a training; nil without images.
  private func note(on cameras: [Camera]) -> String? {
    guard !cameras.isEmpty else { return nil }
    let names = self == .npz ? ["images"] : cameras.map(imageName)
    let order = self == .npz && cameras.count > 1 ? ", in this order without their names" : ""
    return "images of \(cameras.map(\.name).joined(separator: ", ")) are in it\(order); a training "
      + "reads them by demonstrations.images=[\(names.joined(separator: ", "))]"
  }

  /// Writes demonstrations.
  ///
  /// - Parameters:
  ///   - demonstrations: some episodes.
  ///   - path: the file or folder.
  ///   - options: what they do not say themselves.
  /// - Returns: what the layout has no place for, and what images are called in it, a sentence each.
  /// - Throws: `FileError` if the system refuses; `DemonstrationError.noFrameRate` if nobody says how
  ///   many frames a second has; what `check` throws.
  public func write(
    _ demonstrations: Demonstrations, to path: String, options: Options
  ) throws -> [String] {
    try check(demonstrations.cameras, path: path)
    var notes: [String] = []
    switch self {
    case .npz: try demonstrations.write(to: path)
    case .hdf5 where !demonstrations.images.isEmpty:
      try demonstrations.writeRobomimic(to: path, environment: options.task)
    case .hdf5: notes = try demonstrations.writeD4RL(to: path)
    case .lerobot:
      guard let rate = options.framesPerSecond ?? demonstrations.framesPerSecond else {
        throw DemonstrationError.noFrameRate(path: path)
      }
      try demonstrations.writeLeRobot(to: path, framesPerSecond: rate, task: options.task)
    }
    return notes + [note(on: demonstrations.cameras)].compactMap { $0 }
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

  /// Writes robomimic's HDF5: of each episode `data/demo_N` with `obs/flat`, the states, and
  /// `obs/NAME_image`, `actions`, `dones` where the task ended, and `rewards` if known. Images are
  /// compressed one by one, so that a training may read any of them.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - environment: the name of the environment that they are of, where they do not say.
  /// - Throws: `FileError` if the system refuses.
  func writeRobomimic(to path: String, environment: String) throws(FileError) {
    var tensors: [String: StoredTensor] = [:]
    var attributes: [String: [String: HDF5File.WrittenAttribute]] = [:]
    var compressed = Set<String>()
    func rows(_ values: [Float], _ size: Int, _ steps: Range<Int>) -> StoredTensor {
      StoredTensor(
        Tensor(
          shape: [steps.count, size],
          elements: Array(values[steps.lowerBound * size..<steps.upperBound * size])))
    }
    for (index, steps) in steps.enumerated() {
      let group = "data/demo_\(index)"
      tensors["\(group)/obs/\(RobomimicFile.flatObservation)"] = rows(states, stateSize, steps)
      tensors["\(group)/actions"] = rows(actions, actionSize, steps)
      // Numbers, as robomimic's own are.
      tensors["\(group)/dones"] = StoredTensor(
        shape: [steps.count], integers: terminals[steps].map { $0 ? 1 : 0 })
      if !rewards.isEmpty {
        tensors["\(group)/rewards"] = StoredTensor(Tensor(Array(rewards[steps])))
      }
      for images in images {
        let name = "\(group)/obs/\(DemonstrationOutput.hdf5.imageName(of: images.camera))"
        tensors[name] = StoredTensor(
          shape: [steps.count] + images.camera.shape,
          uint8s: images.frames[steps].flatMap(\.samples))
        compressed.insert(name)
      }
      attributes[group] = ["num_samples": .integer(steps.count)]
    }
    let name = recordedEnvironment ?? environment
    let arguments: JSONValue = [
      "env_name": .string(name), "type": .number(Double(RobomimicFile.gymType)),
      "env_kwargs": .object([:]),
    ]
    attributes["data"] = ["total": .integer(stepCount), "env_args": .text(arguments.text)]
    try HDF5File.write(tensors, attributes: attributes, compressed: compressed, to: path)
  }

  /// Writes a LeRobot data set: `observation.state`, `action`, `next.done` at the end of an episode,
  /// `next.terminated` where the task ended, `next.reward` if known, and `observation.images.NAME` of
  /// each camera.
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
    func name(_ camera: Camera) -> String { DemonstrationOutput.lerobot.imageName(of: camera) }
    features += cameras.map {
      LeRobotFeature(imagesNamed: name($0), width: $0.width, height: $0.height)
    }
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
      let frames = images.map { (name($0.camera), Array($0.frames[steps])) }
      try writer.addEpisode(
        values, images: Dictionary(uniqueKeysWithValues: frames), task: own.isEmpty ? task : own)
    }
    try writer.finish()
  }
}

extension Camera {
  fileprivate func hasSize(of other: Camera) -> Bool {
    (width, height) == (other.width, other.height)
  }
}

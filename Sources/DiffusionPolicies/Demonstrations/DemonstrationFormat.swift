import Files
import RobotData
import Tensors

/// How episodes lie in a file.
public enum DemonstrationFormat: String, Sendable, CaseIterable, Codable {
  /// Whatever the file's content says.
  case automatic
  /// An npz: `states`, `actions`, `traj_lengths`; `rewards` and `terminals` may be missing.
  case dppo
  /// HDF5 with `data/demo_<n>/obs/<key>` and `actions`; `rewards` and `dones` may be missing, as in
  /// files of MimicGen and Isaac Lab.
  case robomimic
  /// HDF5 with `observations`, `actions`, `rewards`, `terminals` and `timeouts`, one row a step;
  /// one of the last two may be missing, and `rewards`.
  case d4rl
  /// A folder of LeRobot, version 2.0, 2.1 or 3: `observation.state`, `action`; `next.reward`,
  /// `next.success` and `next.done` may be missing.
  case lerobot
  /// A folder of Minari with an HDF5 file, or the file: `episode_<n>/observations`, `actions`.
  case minari
  /// Diffusion Policy's replay buffer, a folder of zarr or a zip archive of one: `data/<key>` and
  /// `meta/episode_ends`.
  case zarr
}

extension Demonstrations {
  /// Reads episodes, in the order of the file.
  ///
  /// - Parameters:
  ///   - path: an npz, HDF5 or zipped zarr file, or the folder of a data set.
  ///   - format: how episodes lie in it.
  ///   - observations: which tensors make the observation, joined in this order; nil for the usual
  ///     ones: `states`, `observations`, or those that the policies of robomimic and LeRobot see.
  ///   - images: the tensors of images to read: `images` of an npz, keys of robomimic and Minari,
  ///     features of LeRobot, arrays of zarr.
  ///   - actionKey: the tensor of actions.
  ///   - episodeLimit: reads no more than that many of the first episodes.
  ///   - masks: which episodes of a robomimic file to read, and which of them are for validation.
  ///   - maxEpisodeSteps: the steps after which an episode of a D4RL file ends; nil for files that
  ///     mark all ends.
  /// - Throws: `FileError` if the file or a tensor cannot be read, `DemonstrationError` if tensors
  ///   do not fit together or have values that are not finite.
  public init(
    contentsOf path: String, format: DemonstrationFormat = .automatic,
    observations: [String]? = nil, images: [String] = [], actionKey: String = "actions",
    episodeLimit: Int? = nil, masks: EpisodeMasks = .unused, maxEpisodeSteps: Int? = nil
  ) throws {
    precondition(episodeLimit ?? 1 > 0, "an episode limit of \(episodeLimit ?? 0)")
    precondition(maxEpisodeSteps ?? 1 > 0, "episodes of \(maxEpisodeSteps ?? 0) steps")
    precondition(observations?.isEmpty != true, "no observations are requested")
    precondition(Set(images).count == images.count, "images \(images), some of them twice")
    var request = DemonstrationRequest()
    request.observations = observations
    request.images = images
    request.actionKey = actionKey
    request.episodeLimit = episodeLimit
    request.masks = masks
    request.maxEpisodeSteps.given = maxEpisodeSteps
    try self.init(contentsOf: path, format: format, request)
  }

  init(
    contentsOf path: String, format: DemonstrationFormat, _ request: DemonstrationRequest
  ) throws {
    let format = format == .automatic ? try Self.recognize(path, request) : format
    try request.requireFit(format, path: path)
    switch format {
    case .dppo: self = try Self.dppo(try NPZFile(path: path), request)
    case .d4rl:
      self = try Self.d4rl(try HDF5File(path: path), request)
      looksNormalized = touchesUnitRange
    case .minari: self = try Self.minari(path, request)
    case .zarr: self = try Self.zarr(try ZarrFile(path: path), request)
    case .lerobot: self = try Self.leRobot(try LeRobotDataset(folder: path), request)
    case .robomimic, .automatic:
      self = try Self.robomimic(try HDF5File(path: path), request)
      looksNormalized = touchesUnitRange
    }
  }

  private static func recognize(
    _ path: String, _ request: DemonstrationRequest
  ) throws -> DemonstrationFormat {
    if DataFolder.isFolder(path) { return try DataFolder.format(of: path) }
    switch try FileKind(path: path) {
    case .npz:
      let names = try NPZFile(path: path).names
      guard Set(names).isSuperset(of: [request.actionKey, "traj_lengths"]) else {
        throw DemonstrationError.unknownFormat(path: path, names: names)
      }
      return .dppo
    case .hdf5:
      let file = try HDF5File(path: path)
      if !RobomimicFile(file).episodes.isEmpty { return .robomimic }
      if !MinariFile(file).episodes.isEmpty { return .minari }
      guard isD4RL(file.names, actionKey: request.actionKey) else {
        throw DemonstrationError.unknownFormat(path: path, names: file.names)
      }
      return .d4rl
    case .zarr: return .zarr
    case .parquet:
      throw FileError(
        .unsupported, path: path, problem: "is one table of a data set",
        advice: "name the folder of its data set, the one with meta/info.json in it")
    case let kind:
      throw DemonstrationError.unknownFormat(path: path, names: ["a \(kind.rawValue) file"])
    }
  }
}

/// What a reader of a layout is asked for.
struct DemonstrationRequest {
  /// The tensors that make an observation; nil for the usual ones.
  var observations: [String]?
  /// The tensors of images.
  var images: [String] = []
  /// What images of a LeRobot data set are made to; nil to leave them.
  var imageSize: (width: Int, height: Int)?
  /// The tensor of actions.
  var actionKey = DemonstrationRequest.defaultActionKey
  /// The maximum number of episodes to read.
  var episodeLimit: Int?
  /// Which masks of a robomimic file choose episodes.
  var masks = EpisodeMasks.unused
  /// When a D4RL episode ends at the latest.
  var maxEpisodeSteps = MaxEpisodeSteps()

  static let defaultActionKey = "actions"

  /// Steps after which an episode of a D4RL file ends.
  struct MaxEpisodeSteps {
    /// What somebody asked for; nil for nothing.
    var given: Int?
    /// The time limit of the environment, for files without `timeouts`: a number and whose it is.
    var ofEnvironment: () throws -> (steps: Int, environment: String)? = { nil }
  }

  /// The tensor of actions in a layout that calls it otherwise than DPPO and robomimic do, unless
  /// somebody asked for another.
  func actionKey(in names: Set<String>, usual: String) -> String {
    actionKey == DemonstrationRequest.defaultActionKey && !names.contains(actionKey)
      ? usual : actionKey
  }

  /// Refuses what a layout has no place for.
  ///
  /// - Throws: `DemonstrationError.notInFormat` naming the setting.
  func requireFit(
    _ format: DemonstrationFormat, path: String
  ) throws(DemonstrationError) {
    if case .named(let training, let validation) = masks, format != .robomimic {
      throw .notInFormat(
        path: path, setting: training == nil ? "validationFilterKey" : "filterKey",
        value: training ?? validation ?? "", format: .robomimic)
    }
    if let name = images.first, format == .d4rl {
      throw .inconsistent(
        path: path, tensor: name, found: "named by demonstrations.images",
        expected: "a file of another layout: images of \(format.rawValue) files are not read")
    }
    if let imageSize, format != .lerobot {
      throw .notInFormat(
        path: path, setting: "imageSize", value: "[\(imageSize.width), \(imageSize.height)]",
        format: .lerobot)
    }
    if let steps = maxEpisodeSteps.given, format != .d4rl {
      throw .notInFormat(
        path: path, setting: "maxEpisodeSteps", value: "\(steps)", format: .d4rl)
    }
  }
}

/// Sentences about what a reader does with a file beside reading it as it is.
enum ReadingNotes {
  private static let maxNameCount = 12

  /// Tensors that nobody asked for; nil if there are none.
  static func notRead(
    _ noun: String, _ names: [String], plural: String? = nil, advice: String = ""
  ) -> String? {
    guard !names.isEmpty else { return nil }
    let isOne = names.count == 1
    let what = isOne ? "1 \(noun) is" : "\(names.count) \(plural ?? noun + "s") are"
    return "\(what) not read: \(list(names))\(advice)"
  }

  /// Tensors read as `[T, D]` although they have dimensions of size 1 between; nil if there are
  /// none.
  static func squeezed(_ shapes: [(name: String, shape: [Int])]) -> String? {
    let squeezed = shapes.filter { CheckedTensors.isSqueezed($0.shape) }
    guard let first = squeezed.first,
      let matrix = CheckedTensors.matrixShape(first.shape)
    else { return nil }
    let others = squeezed.count > 1 ? " and \((squeezed.count - 1).of("other tensor"))" : ""
    return "'\(first.name)'\(others): shape \(first.shape) is read as \(matrix)"
  }

  /// A few of the names, and how many more there are.
  static func list(_ names: [String]) -> String {
    let shown = names.prefix(maxNameCount).joined(separator: ", ")
    let more = names.count - maxNameCount
    return more > 0 ? "\(shown) and \(more) more" : shown
  }
}

extension Int {
  /// The number with what it counts, in the plural unless it is one.
  func of(_ noun: String) -> String { "\(self) \(noun)\(self == 1 ? "" : "s")" }
}

/// Turns tensors of one file into rows, and refuses what does not fit.
struct CheckedTensors {
  let path: String

  /// A matrix as float32, and its width. Dimensions of size 1 after the first are left out.
  func rows(
    _ stored: StoredTensor, named name: String, count: Int? = nil
  ) throws(DemonstrationError) -> (values: [Float], width: Int) {
    guard let shape = Self.matrixShape(stored.shape), shape[1] > 0, count ?? shape[0] == shape[0]
    else {
      throw .shape(
        path: path, tensor: name, found: stored.shape,
        expected: "[\(count.map(String.init) ?? "steps"), size]")
    }
    let values = Tensor(stored).elements
    try checkFinite(values, named: name, width: shape[1])
    return (values, shape[1])
  }

  /// What each step has, in one row, whatever its shape; and the width of a row.
  func flatRows(
    _ stored: StoredTensor, named name: String, count: Int
  ) throws(DemonstrationError) -> (values: [Float], width: Int) {
    let width = stored.shape.dropFirst().reduce(1, *)
    guard stored.shape.first == count, width > 0 else {
      throw .shape(
        path: path, tensor: name, found: stored.shape, expected: "\(count) steps of numbers")
    }
    let values = Tensor(stored).elements
    try checkFinite(values, named: name, width: width)
    return (values, width)
  }

  /// One number for each step, as float32.
  func column(
    _ stored: StoredTensor, named name: String, count: Int
  ) throws(DemonstrationError) -> [Float] {
    // Some writers keep dimensions of one.
    guard stored.shape.first == count, stored.shape.dropFirst().allSatisfy({ $0 == 1 }) else {
      throw .shape(path: path, tensor: name, found: stored.shape, expected: "[\(count)]")
    }
    let values = Tensor(stored).elements
    try checkFinite(values, named: name, width: 1)
    return values
  }

  /// `[T, D]` of a shape such as `[T, 1, D]`; nil if more than one dimension besides the first has
  /// another size than 1.
  static func matrixShape(_ shape: [Int]) -> [Int]? {
    guard shape.count > 2 else { return shape.count == 2 ? shape : nil }
    let sizes = shape.dropFirst().filter { $0 != 1 }
    return sizes.count <= 1 ? [shape[0], sizes.first ?? 1] : nil
  }

  /// Whether `matrixShape` leaves dimensions out.
  static func isSqueezed(_ shape: [Int]) -> Bool {
    shape.count > 2 && matrixShape(shape) != nil
  }

  private func checkFinite(
    _ values: [Float], named name: String, width: Int
  ) throws(DemonstrationError) {
    guard let index = values.firstIndex(where: { !$0.isFinite }) else { return }
    throw .notFinite(
      path: path, tensor: name, row: index / width, column: index % width,
      value: "\(values[index])")
  }
}

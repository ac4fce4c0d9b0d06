import Environments
import Files
import Tensors

/// Episodes to learn from, laid end to end as in DPPO's files.
public struct Demonstrations: Sendable {
  /// Observations before each step, `Do` to a row.
  public var states: [Float] = []
  /// Actions of each step, `Da` to a row.
  public var actions: [Float] = []
  /// The images before each step, one camera's after another's: a row for each step.
  public var images: [CameraImages] = []
  /// What each step earned; empty if that is not known.
  public var rewards: [Float] = []
  /// Whether the task itself ended with the step; a time-out is no terminal.
  public var terminals: [Bool] = []
  /// The number of steps of each episode.
  public var lengths: [Int] = []
  /// What a reader left out of its file or read otherwise than it lies there, one sentence each.
  public var notes: [String] = []
  /// The episodes that the file keeps for validation, ascending. `append` and `episodes` forget
  /// them.
  public var validationEpisodes: [Int] = []
  /// The environment that they were recorded in, as the file calls it; nil if it does not say.
  public var recordedEnvironment: String?
  /// Frames a second of the recording; nil if the file does not say.
  public var framesPerSecond: Double?
  /// What was to be done in each episode, in words; empty if the file does not say.
  public var tasks: [String] = []
  /// Whether the whole file looks as if it had been normalized already.
  public internal(set) var looksNormalized = false
  /// `Do`
  public let stateSize: Int
  /// `Da`
  public let actionSize: Int

  /// No episodes yet.
  public init(stateSize: Int, actionSize: Int) {
    self.stateSize = stateSize
    self.actionSize = actionSize
  }

  /// The number of steps of all episodes.
  public var stepCount: Int { actions.count / actionSize }

  /// Whose images there are.
  public var cameras: [Camera] { images.map(\.camera) }

  /// The undiscounted return of each episode; empty if rewards are not known.
  public var returns: [Double] {
    guard !rewards.isEmpty else { return [] }
    return steps.map { rewards[$0].reduce(0) { $0 + Double($1) } }
  }

  /// The steps of each episode.
  var steps: [Range<Int>] {
    var start = 0
    return lengths.map { length in
      defer { start += length }
      return start..<(start + length)
    }
  }

  /// Adds the episodes of others after these. Rewards are forgotten unless both have them.
  public mutating func append(_ other: Demonstrations) {
    precondition(
      stateSize == other.stateSize && actionSize == other.actionSize,
      "demonstrations of sizes \((other.stateSize, other.actionSize)) after "
        + "\((stateSize, actionSize))")
    precondition(
      lengths.isEmpty || cameras == other.cameras,
      "demonstrations of cameras \(other.cameras.map(\.name)) after \(cameras.map(\.name))")
    images =
      lengths.isEmpty
      ? other.images : zip(images, other.images).map { .concatenated([$0, $1]) }
    let haveRewards =
      rewards.count == stepCount && other.rewards.count == other.stepCount
    states += other.states
    actions += other.actions
    if haveRewards { rewards += other.rewards } else { rewards = [] }
    let haveTasks = tasks.count == lengths.count && other.tasks.count == other.lengths.count
    if haveTasks { tasks += other.tasks } else { tasks = [] }
    terminals += other.terminals
    lengths += other.lengths
    notes += other.notes
    validationEpisodes = []
  }

  /// Episodes of several files, one after the other, with what each reader said under its path.
  ///
  /// - Throws: `DemonstrationError` if steps of one, or its images, have other sizes than those of the
  ///   first.
  static func joined(_ parts: [(path: String, part: Demonstrations)]) throws -> Demonstrations {
    let (firstPath, first) = parts[0]
    func sizes(_ part: Demonstrations) -> DemonstrationError.Sizes {
      DemonstrationError.Sizes(observations: part.stateSize, actions: part.actionSize)
    }
    var result = Demonstrations(stateSize: first.stateSize, actionSize: first.actionSize)
    var validation: [Int] = []
    for (path, part) in parts {
      guard sizes(part) == sizes(first) else {
        throw DemonstrationError.otherSizes(
          path: path, found: sizes(part), first: firstPath, expected: sizes(first))
      }
      guard part.cameras == first.cameras else {
        throw DemonstrationError.otherCameras(path: path, first: firstPath)
      }
      validation += part.validationEpisodes.map { $0 + result.lengths.count }
      var noted = part
      noted.notes = part.notes.map { "\(path): \($0)" }
      result.append(noted)
    }
    result.validationEpisodes = validation
    let unrewarded = parts.filter { $0.part.rewards.isEmpty }.map(\.path)
    if !unrewarded.isEmpty, unrewarded.count < parts.count {
      result.notes.append(
        "no rewards in \(ReadingNotes.list(unrewarded)): returns are not known in the others either"
      )
    }
    let rates = Set(parts.compactMap(\.part.framesPerSecond)).sorted()
    result.framesPerSecond = rates.count == 1 ? rates[0] : nil
    if rates.count > 1 {
      result.notes.append(
        "recorded at \(rates.map { "\($0)" }.joined(separator: " and ")) frames a second, and learned "
          + "as if that were the same")
    }
    return result
  }

  /// Writes DPPO's npz: `states`, `actions`, `traj_lengths`, `terminals`, `rewards` if known, and
  /// `images` `[N, C, H, W]` if there are some, the channels of cameras one after another; they must
  /// be of one size.
  ///
  /// - Throws: `FileError` if the system refuses.
  public func write(to path: String) throws(FileError) {
    var tensors = [
      "states": StoredTensor(Tensor(shape: [stepCount, stateSize], elements: states)),
      "actions": StoredTensor(Tensor(shape: [stepCount, actionSize], elements: actions)),
      "terminals": StoredTensor(shape: [stepCount], booleans: terminals),
      "traj_lengths": StoredTensor(shape: [lengths.count], integers: lengths),
    ]
    if !rewards.isEmpty { tensors["rewards"] = StoredTensor(Tensor(rewards)) }
    if !images.isEmpty { tensors["images"] = .channelsFirst(images) }
    try NPZFile.write(tensors, to: path, isCompressed: true)
  }
}

extension Demonstrations {
  /// Some of the episodes, in the given order.
  public func episodes(_ indices: some Sequence<Int>) -> Demonstrations {
    var result = Demonstrations(stateSize: stateSize, actionSize: actionSize)
    result.notes = notes
    result.recordedEnvironment = recordedEnvironment
    result.framesPerSecond = framesPerSecond
    result.looksNormalized = looksNormalized
    let steps = steps
    let indices = Array(indices)
    result.images = images.map { $0.gather(indices.flatMap { steps[$0] }) }
    for index in indices {
      let range = steps[index]
      result.states += states[range.lowerBound * stateSize..<range.upperBound * stateSize]
      result.actions += actions[range.lowerBound * actionSize..<range.upperBound * actionSize]
      if !rewards.isEmpty { result.rewards += rewards[range] }
      result.terminals += terminals[range]
      result.lengths.append(range.count)
      if !tasks.isEmpty { result.tasks.append(tasks[index]) }
    }
    return result
  }

  /// The first episodes, at most that many.
  public func prefix(episodes limit: Int) -> Demonstrations {
    precondition(limit > 0, "an episode limit of \(limit)")
    return limit < lengths.count ? episodes(0..<limit) : self
  }

  /// Draws whole episodes for validation; both parts keep the order of the file.
  ///
  /// - Parameters:
  ///   - fraction: of the episodes, rounded; at least one episode stays for training, and at least
  ///     one is for validation unless this is 0 or there is only one.
  ///   - random: decides which.
  public func split(
    validationFraction fraction: Double, random: inout RandomStream
  ) -> (training: Demonstrations, validation: Demonstrations) {
    precondition((0..<1).contains(fraction), "a validation fraction of \(fraction)")
    let count = lengths.count
    let rounded = Int((fraction * Double(count)).rounded())
    let validationCount = fraction == 0 ? 0 : min(max(rounded, 1), count - 1)
    let order = random.permutation(count)
    return (
      training: episodes(order[validationCount...].sorted()),
      validation: episodes(order[..<validationCount].sorted())
    )
  }
}

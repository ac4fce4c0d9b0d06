import Environments
import Tensors

/// How far chunks may reach beyond their episode; what lies there repeats the nearest step.
///
/// Diffusion Policy (arXiv:2303.04137) pads so that the ends of episodes are seen as often as their
/// middles. DPPO does not: its chunks lie within the episode.
public struct ChunkPadding: Equatable, Sendable, Codable {
  /// Steps before the first.
  public let before: Int
  /// Steps after the last.
  public let after: Int

  /// Chunks lie within the episode, as in DPPO.
  public static let none = ChunkPadding()

  /// - Parameters:
  ///   - before: the steps that a chunk may start before the first step, less than a chunk.
  ///   - after: the steps that a chunk may reach beyond the last step, less than a chunk; Diffusion
  ///     Policy takes `Ta - 1`.
  public init(before: Int = 0, after: Int = 0) {
    precondition(before >= 0 && after >= 0, "padding of \(before) and \(after) steps")
    self.before = before
    self.after = after
  }
}

/// Normalized chunks of actions with the observations that lead to them.
///
/// The chunk at step t is the actions t ..< t + `Tp`; its history is the observations
/// t - `To` + 1 ... t, the first one repeated where the episode has none before. Steps are padded
/// once, so that a chunk and its history are a copy of memory each, from any thread.
public struct ChunkDataset: Sendable {
  /// `To`
  public let historyLength: Int
  /// `Tp`
  public let chunkLength: Int
  /// `Do`
  public let stateSize: Int
  /// `Da`
  public let actionSize: Int
  /// How far chunks may reach beyond their episode.
  public let padding: ChunkPadding
  /// The number of chunks.
  public let count: Int
  /// The number of chunks of each episode; those shorter than a chunk have none.
  public let chunkCounts: [Int]
  /// The undiscounted return of each episode; empty if rewards are not known.
  public let returns: [Double]

  /// The first chunk of each episode.
  let firstChunks: [Int]
  /// Normalized and padded, where episode e's start at row `stateStarts[e]`.
  private let states: [Float]
  private let actions: [Float]
  private let stateStarts: [Int]
  private let actionStarts: [Int]
  /// Of all steps, one camera's after another's; bytes that batches share.
  private let images: [CameraImages]
  /// The steps of each episode.
  private let steps: [Range<Int>]

  /// Cuts episodes into chunks.
  ///
  /// - Parameters:
  ///   - demonstrations: the episodes.
  ///   - normalization: maps them to [-1, 1]; nil for a file that is normalized already.
  ///   - historyLength: `To`
  ///   - chunkLength: `Tp`
  ///   - padding: how far chunks may reach beyond their episode.
  /// - Throws: `DemonstrationError.tooShort` if that leaves no chunk.
  public init(
    _ demonstrations: Demonstrations, normalization: DemonstrationNormalization?,
    historyLength: Int, chunkLength: Int, padding: ChunkPadding = .none
  ) throws(DemonstrationError) {
    let (stateSize, actionSize) = (demonstrations.stateSize, demonstrations.actionSize)
    precondition(
      historyLength > 0 && chunkLength > 0 && max(padding.before, padding.after) < chunkLength,
      "\(historyLength) observations, chunks of \(chunkLength) and padding of "
        + "\((padding.before, padding.after))")
    precondition(
      normalization.map { ($0.observations.size, $0.actions.size) == (stateSize, actionSize) }
        ?? true, "the normalization is not for \((stateSize, actionSize)) components")
    self.historyLength = historyLength
    self.chunkLength = chunkLength
    self.stateSize = stateSize
    self.actionSize = actionSize
    self.padding = padding
    returns = demonstrations.returns

    let room = padding.before + padding.after - chunkLength + 1
    chunkCounts = demonstrations.lengths.map { max($0 + room, 0) }
    (firstChunks, count) = Self.starts(chunkCounts)
    guard count > 0 else {
      throw .tooShort(
        longestEpisode: demonstrations.lengths.max() ?? 0, chunkLength: chunkLength,
        padding: padding)
    }
    // The first chunk starts `before` steps early, and its history still earlier.
    let statePadding = historyLength - 1 + padding.before
    stateStarts = Self.starts(demonstrations.lengths.map { $0 + statePadding }).0
    actionStarts =
      Self.starts(
        demonstrations.lengths.map { $0 + padding.before + padding.after }
      ).0
    let steps = demonstrations.steps
    var states = Self.padded(
      demonstrations.states, width: stateSize, episodes: steps, before: statePadding, after: 0)
    var actions = Self.padded(
      demonstrations.actions, width: actionSize, episodes: steps, before: padding.before,
      after: padding.after)
    if let normalization {
      states.withUnsafeMutableBufferPointer { normalization.observations.normalize($0) }
      actions.withUnsafeMutableBufferPointer { normalization.actions.normalizeActions($0) }
    }
    self.states = states
    self.actions = actions
    self.steps = steps
    images = demonstrations.images
  }

  /// Whose images chunks are seen with.
  public var cameras: [Camera] { images.map(\.camera) }

  /// The chunks of the given numbers below `count`.
  public func batch(_ indices: [Int]) -> ChunkBatch {
    let places = indices.map(place(of:))
    func gather(
      _ rows: [Float], starts: [Int], length: Int, width: Int
    ) -> Tensor {
      let size = length * width
      return Tensor(shape: [indices.count, length, width]) { result in
        rows.withUnsafeBufferPointer { rows in
          guard let target = result.baseAddress, let source = rows.baseAddress else { return }
          for (row, place) in places.enumerated() {
            let first = (starts[place.episode] + place.chunk) * width
            (target + row * size).update(from: source + first, count: size)
          }
        }
      }
    }
    return ChunkBatch(
      observations: Observations(
        gather(states, starts: stateStarts, length: historyLength, width: stateSize),
        images: Dictionary(
          uniqueKeysWithValues: images.map { ($0.camera.name, history(of: $0, places)) })),
      chunks: gather(actions, starts: actionStarts, length: chunkLength, width: actionSize))
  }

  /// The latest images of each chunk, the episode's first ones repeated before it; no chunk starts
  /// after its last step.
  private func history(
    of images: CameraImages, _ places: [(episode: Int, chunk: Int)]
  ) -> CameraImages {
    CameraImages(
      images.camera, stepCount: historyLength,
      frames: places.flatMap { place in
        let episode = steps[place.episode]
        let latest = place.chunk - padding.before
        return (latest - historyLength + 1...latest).map { step in
          images.frames[episode.lowerBound + max(step, 0)]
        }
      })
  }

  /// Where a chunk starts: its episode, and the step in it, negative for one that starts early.
  public func position(of index: Int) -> (episode: Int, step: Int) {
    let place = place(of: index)
    return (place.episode, place.chunk - padding.before)
  }

  private func place(of index: Int) -> (episode: Int, chunk: Int) {
    precondition((0..<count).contains(index), "chunk \(index) of \(count)")
    // The last episode whose first chunk is not after it; episodes without chunks come before it.
    var (low, high) = (0, firstChunks.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if firstChunks[middle] <= index { low = middle } else { high = middle }
    }
    return (low, index - firstChunks[low])
  }

  /// The sums of what comes before each, and of all.
  private static func starts(_ counts: [Int]) -> ([Int], Int) {
    var sum = 0
    let starts = counts.map { count in
      defer { sum += count }
      return sum
    }
    return (starts, sum)
  }

  /// Each episode with its first and last row repeated.
  private static func padded(
    _ rows: [Float], width: Int, episodes: [Range<Int>], before: Int, after: Int
  ) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(rows.count + episodes.count * (before + after) * width)
    for episode in episodes where !episode.isEmpty {
      let (first, end) = (episode.lowerBound * width, episode.upperBound * width)
      for _ in 0..<before { result += rows[first..<(first + width)] }
      result += rows[first..<end]
      for _ in 0..<after { result += rows[(end - width)..<end] }
    }
    return result
  }
}

/// Chunks to learn from.
public struct ChunkBatch: Sendable {
  /// The latest ones of each chunk, `B` rows.
  public let observations: Observations
  /// `[B, Tp, Da]`
  public let chunks: Tensor
}

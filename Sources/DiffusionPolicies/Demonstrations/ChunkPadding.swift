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

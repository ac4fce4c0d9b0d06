import Environments
import Tensors

/// A place where one episode of an evaluation is played after the other.
///
/// Unchecked sendable: in a step each slot is touched by one worker.
final class EnvironmentWorker: @unchecked Sendable {
  /// The number of the episode being played.
  private(set) var episode: Int
  /// Whether it has ended.
  private(set) var isFinished = false
  private let environment: any Environment
  private let recorder: EpisodeRecorder?
  private let seed: UInt64
  private var decision = 0

  init(_ environment: any Environment, episode: Int, seed: UInt64) throws {
    self.environment = environment
    recorder = environment.layer(EpisodeRecorder.self)
    self.seed = seed
    self.episode = episode
    try start(episode: episode)
  }

  func start(episode: Int) throws {
    self.episode = episode
    isFinished = false
    decision = 0
    try environment.reset(seed: PolicyEvaluation.startSeed(ofEpisode: episode, seed: seed))
  }

  /// The noise of the next decision.
  var stream: RandomStream {
    RandomStream(seed: seed, purpose: "evaluation actions", index: episode).split(decision)
  }

  /// `[To, Do]`
  var observation: Tensor {
    Tensor(shape: environment.observationSpace.shape, elements: environment.observation)
  }

  /// In single steps and rewards of the inner environment.
  var statistics: EpisodeStatistics { recorder?.statistics ?? EpisodeStatistics() }

  /// Executes a chunk `[Ta, Da]`.
  func step(_ chunk: Tensor) throws {
    isFinished = try chunk.withUnsafeElements { try environment.step($0).isFinished }
    decision += 1
  }
}

import DiffusionPolicies
import Environments
import Foundation
import Media

/// A policy with the environment that it is evaluated in.
package struct EvaluatedPolicy {
  package let path: String
  package let policy: any ActingPolicy
  package let evaluation: PolicyEvaluation

  /// A policy that was read from that path; the seed decides episodes' starts and the policy's
  /// noise. It acts by the best of that many chunks, as its checkpoint has it unless given.
  package init(
    _ checkpoint: PolicyCheckpoint, path: String, seed: UInt64, bestOf: Int? = nil
  ) throws {
    self.path = path
    policy = try checkpoint.makeActingPolicy(bestOf: bestOf)
    evaluation = PolicyEvaluation(
      try PolicyEnvironment(
        checkpoint.configuration, normalization: checkpoint.normalization,
        cameras: checkpoint.cameras),
      seed: seed)
  }

  /// Its environment.
  package var environment: EnvironmentConfiguration {
    evaluation.environment.configuration.environment
  }

  /// What stands under its images: its file without extension, or, since every run has a
  /// `policy.safetensors`, the folder of such a file.
  package var caption: String {
    let file = URL(filePath: path).deletingPathExtension()
    let name = file.lastPathComponent
    return name == "policy" ? file.deletingLastPathComponent().lastPathComponent : name
  }

  /// An environment like that which it is evaluated in.
  package func makeEnvironment() throws -> any Environment {
    try environment.make()
  }

  /// Plays an episode and shows the environment at its start and after every step.
  ///
  /// - Throws: what `visit` throws, after the episode.
  package func show(
    episode: Int, visit: @escaping (any Environment, Int, StepOutcome?) throws -> Void
  ) throws {
    var step = 0
    var failure: (any Error)?
    try evaluation.show(policy, episode: episode) { environment, outcome in
      guard failure == nil else { return }
      do {
        try visit(environment, step, outcome)
      } catch {
        failure = error
      }
      step += 1
    }
    if let failure { throw failure }
  }

  /// The images of an episode.
  package func frames(episode: Int, _ timing: VideoTiming, size: Int) throws -> [Image] {
    var frames: [Image] = []
    try show(episode: episode) { environment, step, outcome in
      guard timing.isDue(step: step, outcome: outcome) else { return }
      frames.append(try environment.render(width: size, height: size))
    }
    return frames
  }
}

/// A video of the first episodes of an evaluation.
package struct PolicyVideo {
  package let evaluated: EvaluatedPolicy

  package init(evaluated: EvaluatedPolicy) { self.evaluated = evaluated }

  /// - Throws: `VideoError` if the file cannot be written, `EnvironmentError` if nothing can be
  ///   drawn.
  package func write(to path: String, episodeCount: Int) throws {
    let video = try EpisodeVideo(path: path, of: try evaluated.makeEnvironment())
    for episode in 0..<episodeCount {
      try evaluated.show(episode: episode) { environment, step, outcome in
        try video.visit(environment, step: step, outcome: outcome)
      }
    }
    _ = try video.finish()
  }
}

/// A video of two policies side by side, from the same starts.
package struct SideBySideVideo {
  package let left: EvaluatedPolicy
  package let right: EvaluatedPolicy
  /// Width and height of each side in pixels.
  private let size = 360
  /// Images for which the end of an episode stands still.
  private let pauseCount = 10

  package init(left: EvaluatedPolicy, right: EvaluatedPolicy) {
    self.left = left
    self.right = right
  }

  /// - Throws: `VideoError` if the file cannot be written, `EnvironmentError` if nothing can be
  ///   drawn.
  package func write(to path: String, episodeCount: Int) throws {
    let timing = VideoTiming(try left.makeEnvironment())
    var video: VideoWriter?
    for episode in 0..<episodeCount {
      let frames = try [left, right].map { try $0.frames(episode: episode, timing, size: size) }
      let count = (frames.map(\.count).max() ?? 0) + pauseCount
      for index in 0..<count {
        // Who is done first waits for the other.
        let grid = ImageGrid(
          frames.map { $0[min(index, $0.count - 1)] }, columnCount: 2,
          captions: [left.caption, right.caption])
        let image = grid.rendered()
        let writer =
          try video
          ?? VideoWriter(
            path: path, width: image.width, height: image.height,
            settings: VideoSettings(frameRate: timing.frameRate))
        video = writer
        try writer.append(image)
      }
    }
    try video?.finish()
  }
}

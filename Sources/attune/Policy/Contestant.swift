import DiffusionPolicies
import Environments
import Foundation
import Media

/// A policy that is judged in an environment.
struct Contestant {
  let path: String
  let policy: any ChunkPolicy
  let evaluation: PolicyEvaluation

  /// Reads a policy.
  ///
  /// - Parameters:
  ///   - path: a checkpoint of pretrain, finetune or import.
  ///   - environment: the environment, if it is not that of the checkpoint.
  ///   - seed: decides the episodes' starts and the policy's noise.
  init(path: String, environment: String?, seed: UInt64) throws {
    var checkpoint = try PolicyCheckpoint(path: path)
    if let environment {
      checkpoint.configuration.environment = EnvironmentConfiguration()
      checkpoint.configuration.environment.name = environment
    }
    try self.init(checkpoint, path: path, seed: seed)
  }

  /// A policy that was read already, from that path.
  init(_ checkpoint: PolicyCheckpoint, path: String, seed: UInt64) throws {
    self.path = path
    policy = try checkpoint.makePolicy()
    evaluation = PolicyEvaluation(
      try PolicyEnvironment(checkpoint.configuration, normalization: checkpoint.normalization),
      seed: seed)
  }

  /// The name of its environment.
  var environmentName: String { evaluation.environment.configuration.environment.name }

  /// What stands under its pictures: its file without extension, or, since every run has a
  /// `policy.safetensors`, the folder of such a file.
  var caption: String {
    let file = URL(filePath: path).deletingPathExtension()
    let name = file.lastPathComponent
    return name == "policy" ? file.deletingLastPathComponent().lastPathComponent : name
  }

  /// An environment like that which it is judged in.
  func makeEnvironment() throws -> any Environment {
    try evaluation.environment.configuration.environment.make()
  }

  /// Plays an episode and shows the environment at its start and after every step.
  ///
  /// - Throws: what `visit` throws, after the episode.
  func show(
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

  /// The pictures of an episode.
  func frames(episode: Int, _ timing: FilmTiming, size: Int) throws -> [Image] {
    var frames: [Image] = []
    try show(episode: episode) { environment, step, outcome in
      guard timing.isDue(step: step, outcome: outcome) else { return }
      frames.append(try environment.render(width: size, height: size))
    }
    return frames
  }
}

import DiffusionPolicies
import Environments
import Files
import Foundation
import Media
import Runs

/// A policy that is judged in an environment.
struct Contestant {
  let path: String
  let policy: any ChunkPolicy
  let evaluation: PolicyEvaluation

  /// Reads a policy.
  ///
  /// - Parameters:
  ///   - path: a checkpoint of pretrain, finetune or import.
  ///   - choice: what is other than in the checkpoint's environment.
  ///   - seed: decides the episodes' starts and the policy's noise.
  ///   - log: told in what the environment differs from the checkpoint's.
  init(path: String, in choice: EnvironmentChoice, seed: UInt64, log: RunLog) throws {
    var checkpoint = try PolicyCheckpoint(path: path)
    let own = checkpoint.configuration.environment
    checkpoint.configuration.environment = choice.applied(to: own)
    try self.init(checkpoint, path: path, seed: seed)
    if let differences = try environment.differences(from: own) {
      log.say("\(path.printable) is played in another environment than its own: \(differences)")
    }
  }

  /// A policy that was read already, from that path.
  init(_ checkpoint: PolicyCheckpoint, path: String, seed: UInt64) throws {
    self.path = path
    policy = try checkpoint.makePolicy()
    evaluation = PolicyEvaluation(
      try PolicyEnvironment(checkpoint.configuration, normalization: checkpoint.normalization),
      seed: seed)
  }

  /// Its environment.
  var environment: EnvironmentConfiguration { evaluation.environment.configuration.environment }

  /// What stands under its pictures: its file without extension, or, since every run has a
  /// `policy.safetensors`, the folder of such a file.
  var caption: String {
    let file = URL(filePath: path).deletingPathExtension()
    let name = file.lastPathComponent
    return name == "policy" ? file.deletingLastPathComponent().lastPathComponent : name
  }

  /// An environment like that which it is judged in.
  func makeEnvironment() throws -> any Environment {
    try environment.make()
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

import DiffusionPolicies
import Environments

/// A film of the first episodes of an evaluation.
struct PolicyVideo {
  let evaluation: PolicyEvaluation
  let policy: any ChunkPolicy

  /// - Throws: `VideoError` if the file cannot be written, `EnvironmentError` if nothing can be drawn.
  func write(to path: String, episodeCount: Int) throws {
    let film = try EpisodeFilm(
      path: path, of: try evaluation.environment.configuration.environment.make())
    for episode in 0..<episodeCount {
      var step = 0
      var failure: (any Error)?
      try evaluation.show(policy, episode: episode) { environment, outcome in
        guard failure == nil else { return }
        do {
          try film.visit(environment, step: step, outcome: outcome)
        } catch {
          failure = error
        }
        step += 1
      }
      if let failure { throw failure }
    }
    _ = try film.finish()
  }
}

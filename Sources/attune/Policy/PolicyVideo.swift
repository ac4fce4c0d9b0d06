import DiffusionPolicies
import Environments

/// A film of the first episodes of an evaluation.
struct PolicyVideo {
  let contestant: Contestant

  /// - Throws: `VideoError` if the file cannot be written, `EnvironmentError` if nothing can be
  ///   drawn.
  func write(to path: String, episodeCount: Int) throws {
    let film = try EpisodeFilm(path: path, of: try contestant.makeEnvironment())
    for episode in 0..<episodeCount {
      try contestant.show(episode: episode) { environment, step, outcome in
        try film.visit(environment, step: step, outcome: outcome)
      }
    }
    _ = try film.finish()
  }
}

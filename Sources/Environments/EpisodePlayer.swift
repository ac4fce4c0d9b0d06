extension Environment {
  /// Plays one episode from a start to its end.
  ///
  /// - Parameters:
  ///   - start: a seed or a state.
  ///   - policy: gives the action for an observation and the number of the step.
  ///   - visit: sees the environment at the start and after each step.
  /// - Returns: the episode's statistics, counted in steps of this environment.
  /// - Throws: what the environment, `policy` and `visit` throw.
  @discardableResult
  public func playEpisode(
    from start: EpisodeStart,
    policy: (_ observation: [Float], _ step: Int) throws -> [Float],
    visit: (_ step: Int, _ outcome: StepOutcome?) throws -> Void
  ) throws -> EpisodeStatistics {
    let recorder = EpisodeRecorder(self)
    try recorder.reset(start)
    try visit(0, nil)
    var step = 0
    var isFinished = false
    while !isFinished {
      let outcome = try recorder.step(try policy(recorder.observation, step))
      step += 1
      isFinished = outcome.isFinished
      try visit(step, outcome)
    }
    return recorder.statistics
  }

  /// Plays one episode from a start to its end.
  ///
  /// - Parameters:
  ///   - start: a seed or a state.
  ///   - policy: gives the action for an observation and the number of the step.
  /// - Returns: the episode's statistics, counted in steps of this environment.
  /// - Throws: what the environment and `policy` throw.
  @discardableResult
  public func playEpisode(
    from start: EpisodeStart,
    policy: (_ observation: [Float], _ step: Int) throws -> [Float]
  ) throws -> EpisodeStatistics {
    try playEpisode(from: start, policy: policy) { _, _ in }
  }
}

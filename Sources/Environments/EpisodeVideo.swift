import Media

extension Environment {
  /// Plays one episode from a start to its end.
  ///
  /// - Parameters:
  ///   - start: a seed or a state.
  ///   - policy: gives the action for an observation and the number of the step.
  ///   - visit: sees the environment at the start and after each step.
  /// - Returns: the episode's statistics, counted in steps of this environment.
  /// - Throws: what the environment, `policy` and `visit` throw; `EnvironmentError.failed` if the
  ///   episode is lost.
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
      if outcome.isLost { throw EnvironmentError.lost(name, step: step) }
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

/// Which steps of an episode are recorded, in real time.
package struct VideoTiming {
  /// Whole steps between images.
  package let stride: Int
  /// Images in a second.
  package let frameRate: Double

  /// - Parameters:
  ///   - environment: one like those to be recorded.
  ///   - frameRate: the maximum number of images in a second of simulated time.
  package init(_ environment: any Environment, frameRate: Double = 50) {
    stride = max(1, Int((environment.stepsPerSecond / frameRate).rounded(.up)))
    self.frameRate = environment.stepsPerSecond / Double(stride)
  }

  /// Whether there is an image after a step: every few steps, and at the end.
  package func isDue(step: Int, outcome: StepOutcome?) -> Bool {
    step.isMultiple(of: stride) || outcome?.isFinished ?? false
  }
}

/// An MP4 file of episodes in real time.
package final class EpisodeVideo {
  private let video: VideoWriter
  private let timing: VideoTiming
  private let width: Int
  private let height: Int

  /// - Parameters:
  ///   - path: the MP4 file.
  ///   - environment: one like those to be recorded.
  ///   - width: of an image in pixels.
  ///   - height: of an image in pixels.
  ///   - frameRate: the maximum number of images in a second of simulated time.
  /// - Throws: `VideoError` if the file cannot be written.
  package init(
    path: String, of environment: any Environment, width: Int = 480, height: Int = 480,
    frameRate: Double = 50
  ) throws {
    timing = VideoTiming(environment, frameRate: frameRate)
    self.width = width
    self.height = height
    video = try VideoWriter(
      path: path, width: width, height: height,
      settings: VideoSettings(frameRate: timing.frameRate))
  }

  /// Takes an image after a step, if it is time for one.
  package func visit(_ environment: any Environment, step: Int, outcome: StepOutcome?) throws {
    guard timing.isDue(step: step, outcome: outcome) else { return }
    try video.append(try environment.render(width: width, height: height))
  }

  /// Completes the file; returns the number of its images.
  package func finish() throws -> Int {
    try video.finish()
    return video.frameCount
  }
}

import Environments
import Media

/// An MP4 file of episodes in real time.
final class EpisodeFilm {
  private let video: VideoWriter
  /// Whole steps between pictures.
  private let stride: Int
  private let width: Int
  private let height: Int

  /// - Parameters:
  ///   - path: the MP4 file.
  ///   - environment: one like those to be filmed.
  ///   - width: of a picture in pixels.
  ///   - height: of a picture in pixels.
  ///   - frameRate: the most pictures in a second of simulated time.
  /// - Throws: `VideoError` if the file cannot be written.
  init(
    path: String, of environment: any Environment, width: Int = 480, height: Int = 480,
    frameRate: Double = 50
  ) throws {
    stride = max(1, Int((environment.stepsPerSecond / frameRate).rounded(.up)))
    self.width = width
    self.height = height
    video = try VideoWriter(
      path: path, width: width, height: height,
      settings: VideoSettings(frameRate: environment.stepsPerSecond / Double(stride)))
  }

  /// Takes a picture after a step, if it is time for one.
  func visit(_ environment: any Environment, step: Int, outcome: StepOutcome?) throws {
    guard step % stride == 0 || outcome?.isFinished ?? false else { return }
    try video.append(try environment.render(width: width, height: height))
  }

  /// Completes the file; returns the number of its pictures.
  func finish() throws -> Int {
    try video.finish()
    return video.frameCount
  }
}

import DiffusionPolicies
import Environments
import Media

/// A film of two policies side by side, from the same starts.
struct SideBySideVideo {
  let left: Contestant
  let right: Contestant
  /// Width and height of each side in pixels.
  private let size = 360
  /// Pictures for which the end of an episode stands still.
  private let pauseCount = 10

  /// - Throws: `VideoError` if the file cannot be written, `EnvironmentError` if nothing can be
  ///   drawn.
  func write(to path: String, episodeCount: Int) throws {
    let timing = FilmTiming(try left.makeEnvironment())
    var video: VideoWriter?
    for episode in 0..<episodeCount {
      let frames = try [left, right].map { try $0.frames(episode: episode, timing, size: size) }
      let count = (frames.map(\.count).max() ?? 0) + pauseCount
      for index in 0..<count {
        // Who is done first waits for the other.
        let grid = ImageGrid(
          frames.map { $0[min(index, $0.count - 1)] }, columnCount: 2,
          captions: [left.caption, right.caption])
        let picture = grid.rendered()
        let writer =
          try video
          ?? VideoWriter(
            path: path, width: picture.width, height: picture.height,
            settings: VideoSettings(frameRate: timing.frameRate))
        video = writer
        try writer.append(picture)
      }
    }
    try video?.finish()
  }
}

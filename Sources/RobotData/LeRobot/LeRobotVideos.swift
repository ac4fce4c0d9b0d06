import Files
import Media
import Synchronization

/// The video files of a data set: looked through once, and read onwards from where the last episode
/// ended.
final class LeRobotVideos: Sendable {
  private struct State {
    var videos: [(path: String, reader: VideoReader, cursor: VideoCursor)] = []
  }

  private let folder: String
  private let tolerance: Double
  private let state = Mutex(State())

  /// Files are kept in memory, compressed; fewer than a robot has cameras would be read ever again.
  private static let maxVideoCount = 8

  /// - Parameters:
  ///   - folder: of the data set.
  ///   - tolerance: how far a frame may be from the time that the table states, in seconds.
  init(folder: String, tolerance: Double) {
    self.folder = folder
    self.tolerance = tolerance
  }

  /// The frames nearest to some times.
  ///
  /// - Parameters:
  ///   - video: the part of a file.
  ///   - times: in seconds since the episode began.
  ///   - feature: its name, for errors.
  func images(
    _ video: LeRobotEpisode.Video, times: [Double], feature: String
  ) throws(FileError) -> [Image] {
    let path = "\(folder)/\(video.path)"
    return try state.withLock { state -> Result<[Image], FileError> in
      do throws(VideoError) {
        let kept = try LeRobotVideos.video(path, in: &state)
        let indices: [Int]
        switch frames(of: kept.reader, at: times.map { video.start + $0 }) {
        case .success(let found): indices = found
        case .failure(let miss):
          return .failure(miss.error(path: path, feature: feature, tolerance))
        }
        return .success(try kept.cursor.frames(at: indices))
      } catch {
        state.videos.removeAll { $0.path == path }
        return .failure(FileError(error, path: path, feature: feature))
      }
    }.get()
  }

  private static func video(
    _ path: String, in state: inout State
  ) throws(VideoError) -> (path: String, reader: VideoReader, cursor: VideoCursor) {
    if let index = state.videos.firstIndex(where: { $0.path == path }) {
      // The one that was used longest ago comes first and goes first.
      let kept = state.videos.remove(at: index)
      state.videos.append(kept)
      return kept
    }
    let reader = try VideoReader(path: path)
    if state.videos.count >= maxVideoCount { state.videos.removeFirst() }
    let opened = (path: path, reader: reader, cursor: VideoCursor(reader))
    state.videos.append(opened)
    return opened
  }

  /// A time without a frame.
  private struct Miss: Error {
    let time: Double
    let nearest: Double
    let end: Double

    func error(path: String, feature: String, _ tolerance: Double) -> FileError {
      FileError(
        .malformed, path: path, item: feature,
        problem:
          "has no frame at \(time) s, the nearest is at \(nearest) s and the last at \(end) s",
        advice: "record it again, or open the data set with a tolerance above \(tolerance) s")
    }
  }

  private func frames(of reader: VideoReader, at times: [Double]) -> Result<[Int], Miss> {
    let ends = reader.times
    var indices: [Int] = []
    for time in times {
      let wanted = time - reader.startTime
      // The first frame that is not before the time; the one before it may be nearer.
      var (low, high) = (0, ends.count)
      while low < high {
        let middle = (low + high) / 2
        if ends[middle] < wanted { low = middle + 1 } else { high = middle }
      }
      let candidates = [low - 1, low].filter(ends.indices.contains)
      // A reader has at least one frame.
      guard let best = candidates.min(by: { abs(ends[$0] - wanted) < abs(ends[$1] - wanted) }),
        abs(ends[best] - wanted) <= tolerance
      else {
        let nearest = candidates.map { ends[$0] }.min { abs($0 - wanted) < abs($1 - wanted) } ?? 0
        return .failure(
          Miss(
            time: time, nearest: nearest + reader.startTime,
            end: (ends.last ?? 0) + reader.startTime))
      }
      indices.append(best)
    }
    return .success(indices)
  }
}

extension FileError {
  /// What is wrong with a video, as the error of a file.
  init(_ error: VideoError, path: String, feature: String) {
    switch error {
    case .unreadable(_, let reason):
      self.init(
        .system, path: path, item: feature, problem: reason,
        advice: "fetch the videos of the data set")
    case .notVideo(_, let found):
      self.init(
        .unsupported, path: path, item: feature,
        problem: "is not a video that this FFmpeg decodes: \(found)",
        advice: "convert it, or install a complete FFmpeg")
    case .damaged(_, let reason):
      self.init(
        .malformed, path: path, item: feature, problem: "is a damaged video: \(reason)",
        advice: "fetch it again")
    case .tooLarge(_, let found, let limit):
      self.init(
        .tooLarge, path: path, item: feature, problem: "has \(found), the limit is \(limit)",
        advice: "read fewer frames at a time")
    default: self.init(.malformed, path: path, item: feature, problem: "\(error)")
    }
  }
}

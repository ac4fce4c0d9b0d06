/// One recording of a LeRobot data set.
public struct LeRobotEpisode: Sendable, Equatable {
  /// A part of a video file.
  struct Video: Sendable, Equatable {
    /// Within the data set's folder.
    let path: String
    /// When the episode begins in it, in seconds.
    let start: Double
  }

  /// LeRobot's number of it.
  public let index: Int
  /// How many frames it has.
  public let length: Int
  /// What was to be done, in words; empty where the data set does not say.
  public let tasks: [String]

  /// Of its table, within the data set's folder.
  let dataPath: String
  /// By feature; of those whose file the data set names.
  let videos: [String: Video]
}

/// Demonstrations that cannot be learned from.
public enum DemonstrationError: Error, Equatable, CustomStringConvertible {
  /// The file's tensors are those of no known layout.
  case unknownFormat(path: String, names: [String])
  /// A tensor has another shape than the layout wants.
  case shape(path: String, tensor: String, found: [Int], expected: String)
  /// A value is infinite or not a number.
  case notFinite(path: String, tensor: String, row: Int, column: Int, value: String)
  /// The numbers in a tensor contradict the rest of the file.
  case inconsistent(path: String, tensor: String, found: String, expected: String)
  /// The file holds no whole episode.
  case noEpisodes(path: String, reason: String)
  /// A file has none of the observations that are read by default.
  case noObservations(path: String, available: [String])
  /// An observation is images and nothing else.
  case imagesOnly(path: String, images: [String])
  /// What was asked for is images.
  case images(path: String, tensor: String, shape: [Int])
  /// Files of one training do not fit together.
  case otherSizes(path: String, found: Sizes, first: String, expected: Sizes)
  /// The images of files of one training do not fit together.
  case otherCameras(path: String, first: String)
  /// A layout has no place for the images that are to be written.
  case imagesNotHeld(path: String, reason: String, advice: String)
  /// A robomimic file lacks a mask that is asked for.
  case noMask(path: String, mask: String, available: [String])
  /// A setting is for files of another layout.
  case notInFormat(path: String, setting: String, value: String, format: DemonstrationFormat)
  /// The file looks as if it had been normalized already.
  case normalized(path: String)
  /// Every episode to train on is shorter than a chunk.
  case tooShort(longestEpisode: Int, chunkLength: Int, padding: ChunkPadding)
  /// Nobody says how many frames a second has in what is to be written.
  case noFrameRate(path: String)
  /// Episodes cannot be weighted by what nobody recorded.
  case noRewards
  /// Only successes are to be kept, and an episode does not tell whether it is one.
  case successUnknown(environment: String)
  /// Too few episodes succeed.
  case tooFewSuccesses(found: Int, played: Int, wanted: Int)

  /// How many numbers a step has.
  public struct Sizes: Equatable, Sendable {
    /// `Do`
    public let observations: Int
    /// `Da`
    public let actions: Int
  }

  /// What is wrong, and what to do.
  public var description: String {
    switch self {
    case .unknownFormat(let path, let names):
      """
      \(path): expected states, actions and traj_lengths (npz), data/demo_<n> groups (robomimic), \
      episode_<n> groups (Minari), data/<key> and meta/episode_ends (zarr) or observations, actions, \
      terminals or timeouts (D4RL), found \(Self.list(names)); convert it \
      to one of these, or name the folder of a LeRobot data set
      """
    case .shape(let path, let tensor, let found, let expected):
      "\(path): '\(tensor)': has shape \(found), expected \(expected)"
    case .notFinite(let path, let tensor, let row, let column, let value):
      """
      \(path): '\(tensor)': is \(value) in row \(row), column \(column), expected finite float32; \
      remove that episode
      """
    case .inconsistent(let path, let tensor, let found, let expected):
      "\(path): '\(tensor)': \(found), expected \(expected)"
    case .noEpisodes(let path, let reason):
      "\(path): no whole episode: \(reason)"
    case .noObservations(let path, let available):
      """
      \(path): none of the usual observations; name some of those it has in \
      demonstrations.observations: \(Self.list(available))
      """
    case .imagesOnly(let path, let images):
      """
      \(path): observations are images alone (\(Self.list(images))), and policies see numbers beside \
      them; record the environment with a state too, as a Dict of both
      """
    case .images(let path, let tensor, let shape):
      """
      \(path): '\(tensor)': has images of shape \(shape), and observations are numbers; name it in \
      demonstrations.images
      """
    case .otherSizes(let path, let found, let first, let expected):
      """
      \(path): a step has \(found.observations) observations and \(found.actions) actions, expected \
      \(expected.observations) and \(expected.actions) as in \(first); choose what both have by \
      demonstrations.observations and actionKey, or train on one of them
      """
    case .otherCameras(let path, let first):
      "\(path): its images have other sizes than those of \(first); train on one of them"
    case .imagesNotHeld(let path, let reason, let advice):
      "\(path): \(reason); \(advice)"
    case .noMask(let path, let mask, let available):
      "\(path): no mask 'mask/\(mask)'; the file has \(Self.list(available))"
    case .notInFormat(let path, let setting, let value, let format):
      """
      \(path): demonstrations.\(setting) is \(value), but only \(format.rawValue) files have a use for \
      it; leave it out
      """
    case .normalized(let path):
      """
      \(path): all states and actions lie in [-1, 1] and touch both ends, as in files that DPPO's \
      scripts normalized; give the file's ranges by demonstrations.normalization=normalization.npz, \
      or say that it is in its own units by demonstrations.normalization=none
      """
    case .tooShort(let longest, let chunkLength, let padding):
      """
      the longest episode to train on has \(longest) steps, a chunk takes \(chunkLength) of which \
      \(padding.before) and \(padding.after) may be padding; use shorter chunks or more padding
      """
    case .noFrameRate(let path):
      "\(path): the demonstrations do not say how many frames a second has; give --fps"
    case .noRewards:
      "these demonstrations have no rewards to weight episodes by; sample uniformly"
    case .successUnknown(let environment):
      """
      environment \(environment): an episode does not tell whether it succeeded; leave out \
      --only-successes, or with an environment of Python name the key of its info by successKey=KEY
      """
    case .tooFewSuccesses(let found, let played, let wanted):
      """
      only \(found) of \(played) episodes succeeded, and \(wanted) are wanted; try another expert, \
      less noise or a longer timeLimit, or leave out --only-successes
      """
    }
  }

  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(12).joined(separator: ", ")
    return names.isEmpty ? "nothing" : shown + (names.count > 12 ? ", ..." : "")
  }
}

import Files

/// The frames of a video file as RGB images: MP4, WebM, AVI, GIF, animated PNG and what else this
/// FFmpeg decodes.
///
/// The file is read into memory and decoded once when it is opened, so that `frameCount` and `times`
/// are those of the frames themselves and damage shows at once. Frames are decoded again when they
/// are wanted.
///
/// Colors are converted by the matrix and range that the stream names; where it names no matrix, as
/// players do: BT.601 below 720 rows, BT.709 from there. Transfer and primaries are not converted.
/// Rotation and the shape of pixels, which some files note for players, have no effect.
public struct VideoReader: Sendable {
  /// The size of a file, in bytes.
  public static let byteCountLimit = 1 << 31
  /// The pixels of a frame; a larger one is refused before it gets memory.
  public static let pixelCountLimit = VideoDecoder.pixelCountLimit
  /// The frames of a file.
  public static let frameCountLimit = 1 << 20
  /// The samples of all the images that are read at once, 3 for each pixel.
  public static let sampleCountLimit = 1 << 33

  /// The file.
  public let path: String
  /// The size of every frame.
  public let width: Int, height: Int
  /// When each frame begins to be shown, in seconds since the first; never falling.
  public let times: [Double]
  /// When the first frame is shown, in seconds of the file's own clock; 0 in most files.
  public let startTime: Double
  /// When the last frame ends, in seconds since the first began.
  public let duration: Double
  /// Frames a second: as the file says where its times agree, else the mean.
  public let frameRate: Double

  let bytes: [UInt8]
  let background: Color

  /// How many frames there are; at least one.
  public var frameCount: Int { times.count }

  /// Opens a video and looks through it.
  ///
  /// - Parameters:
  ///   - path: a regular file.
  ///   - background: what transparent pixels are laid over.
  /// - Throws: `VideoError`, also for a file that is damaged or cut short.
  public init(path: String, background: Color = .black) throws(VideoError) {
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try BinaryFile.read(path: path, maxByteCount: VideoReader.byteCountLimit)
    } catch {
      throw .unreadable(file: path, reason: error.reason)
    }
    try self.init(bytes: bytes, name: path, background: background)
  }

  /// Looks through a video in memory; `name` stands for it in errors.
  ///
  /// - Throws: `VideoError`, also for a file that is damaged or cut short.
  public init(
    bytes: [UInt8], name: String = "video data", background: Color = .black
  ) throws(VideoError) {
    FFmpegError.silenceLog
    guard !bytes.isEmpty else { throw .notVideo(file: name, found: "it is empty") }
    path = name
    self.bytes = bytes
    self.background = background
    let decoder = try VideoDecoder(bytes: bytes, file: name)
    var survey = VideoSurvey()
    survey.begin(decoder)
    while survey.times.count <= VideoReader.frameCountLimit, let frame = try decoder.next() {
      try survey.add(frame, file: name)
    }
    survey.end(decoder)
    guard survey.times.count <= VideoReader.frameCountLimit else {
      throw .tooLarge(
        file: name, found: "\(survey.times.count) frames or more",
        limit: "\(VideoReader.frameCountLimit)")
    }
    guard let size = survey.size else {
      throw .damaged(file: name, reason: "there are no whole frames in its \(bytes.count) bytes")
    }
    (width, height) = size
    times = survey.times
    startTime = survey.startTime
    duration = survey.duration
    frameRate = survey.frameRate
  }

  /// All frames.
  ///
  /// - Throws: `VideoError`.
  public func frames() throws(VideoError) -> [Image] { try frames(at: Array(times.indices)) }

  /// Frames evenly spaced from the first to the last.
  ///
  /// Of n frames it takes those of number round(i (n - 1) / (count - 1)) for i = 0 ..< count, halves
  /// rounded up; the first alone for a count of 1. A video of fewer frames gives some more than once.
  ///
  /// - Throws: `VideoError`.
  public func frames(count: Int) throws(VideoError) -> [Image] {
    try frames(at: VideoReader.indices(count: count, of: frameCount))
  }

  /// Every `stride`-th frame from the first on.
  ///
  /// - Throws: `VideoError`.
  public func frames(stride: Int) throws(VideoError) -> [Image] {
    precondition(stride > 0, "frames cannot be taken with a stride of \(stride)")
    return try frames(at: Array(Swift.stride(from: 0, to: frameCount, by: stride)))
  }

  /// What is shown at the times k / rate from 0 to the end, whatever the frame rate of the file and
  /// however long it shows each frame.
  ///
  /// - Parameter rate: frames a second.
  /// - Throws: `VideoError`.
  public func frames(rate: Double) throws(VideoError) -> [Image] {
    try frames(at: try indices(rate: rate))
  }

  /// The frames of some numbers, in their order; a number may come more than once.
  ///
  /// - Parameter indices: from 0 to below `frameCount`.
  /// - Throws: `VideoError`.
  public func frames(at indices: [Int]) throws(VideoError) -> [Image] {
    try VideoCursor(self).frames(at: indices)
  }

  /// The numbers of `count` frames evenly spaced over `total`, as `frames(count:)` takes them.
  public static func indices(count: Int, of total: Int) -> [Int] {
    precondition(count > 0, "\(count) frames cannot be taken of a video")
    guard count > 1 else { return [0] }
    return (0..<count).map { (2 * $0 * (total - 1) + count - 1) / (2 * (count - 1)) }
  }

  private func indices(rate: Double) throws(VideoError) -> [Int] {
    precondition(
      rate > 0 && rate.isFinite, "frames cannot be taken at a rate of \(rate) a second")
    // Times that should be equal may differ by a rounding error.
    let count = max(1, (duration * rate - 1e-6).rounded(.up))
    guard count <= Double(VideoReader.frameCountLimit) else {
      throw .tooLarge(
        file: path, found: "\(duration) seconds, at \(rate) frames each",
        limit: "\(VideoReader.frameCountLimit) frames")
    }
    var index = 0
    return (0..<Int(count)).map { number in
      while index + 1 < times.count, times[index + 1] <= (Double(number) + 1e-6) / rate {
        index += 1
      }
      return index
    }
  }
}

extension Clip {
  /// Reads all frames of a video file at its frame rate.
  ///
  /// - Throws: `VideoError`.
  public init(contentsOfFile path: String) throws(VideoError) {
    let reader = try VideoReader(path: path)
    self.init(frames: try reader.frames(), frameRate: reader.frameRate)
  }
}

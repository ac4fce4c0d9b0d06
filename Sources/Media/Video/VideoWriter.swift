import CFFmpeg
import Files

/// A video file written frame by frame; the ending of its path picks MP4, GIF or animated PNG.
///
/// Frames go to a temporary file beside `path`, which takes its place in `finish`; a writer that is
/// dropped before leaves nothing. Equal frames and settings give equal files.
///
/// An MP4 is H.264 or MPEG-4, YUV 4:2:0, ready for browsers; odd sizes get their last column or row
/// twice, because 4:2:0 needs even ones. GIF and APNG keep every size and play for ever. An APNG is
/// exact, and RGBA if its first frame is. A GIF has one palette for all frames, so that they stay in
/// memory until `finish`: exact where they have at most 256 colors, else the nearest of 255 that suit
/// them all. Its times are hundredths of a second.
public final class VideoWriter {
  /// The pixels of all frames of a GIF together.
  public static let gifPixelCountLimit = 1 << 29

  /// Where the finished video will be.
  public let path: String
  /// The size of every frame.
  public let width: Int, height: Int
  /// The kind of file.
  public let container: VideoSettings.Container
  private let settings: VideoSettings
  private let replacement: FileReplacement
  private var state = State.collecting([])

  /// What has become of the frames so far.
  private enum State {
    /// They wait, because how they are written depends on what they are.
    case collecting([Image])
    case writing(VideoEncoder, VideoFile)
    case finished
  }

  /// The number of frames appended so far.
  public private(set) var frameCount = 0

  /// Begins a video with frames of one size.
  ///
  /// - Throws: `VideoError`.
  public init(
    path: String, width: Int, height: Int, settings: VideoSettings = VideoSettings()
  ) throws(VideoError) {
    container = try settings.container(file: path)
    try settings.check(file: path, container: container, width: width, height: height)
    FFmpegError.silenceLog
    self.path = path
    self.width = width
    self.height = height
    self.settings = settings
    do throws(FileError) {
      replacement = try FileReplacement(path: path)
    } catch {
      throw .failed(file: path, step: "creating the file", reason: error.reason)
    }
    if container == .mp4 {
      try open { () throws(FFmpegError) in try YUVFrames(width: width, height: height) }
    } else {
      _ = try codecs()
    }
  }

  /// Appends a frame; grey becomes RGB and transparent pixels show the background, unless the
  /// video is an APNG whose first frame is RGBA.
  ///
  /// - Throws: `VideoError`.
  public func append(_ image: Image) throws(VideoError) {
    guard image.width == width && image.height == height else {
      throw .wrongFrameSize(
        file: path, frame: frameCount, found: "\(image.width)x\(image.height)",
        expected: "\(width)x\(height)")
    }
    switch state {
    case .finished:
      preconditionFailure("\(path) is finished and takes no more frames")
    case .writing(let encoder, let file):
      try write(hasAlpha ? image.rgba() : image.rgb(over: settings.background), encoder, file)
    case .collecting(var images):
      if container == .apng {
        hasAlpha = image.channelCount == 4
        try open { () throws(FFmpegError) in
          ExactFrames(width: width, height: height, hasAlpha: hasAlpha)
        }
        return try append(image)
      }
      try checkRoom()
      state = .finished  // so that there is one array, which grows in place
      images.append(image.rgb(over: settings.background))
      state = .collecting(images)
    }
    frameCount += 1
  }

  /// Whether frames are written as RGBA.
  private var hasAlpha = false

  /// Writes what is not yet written, closes the file and puts it in place; a second call does
  /// nothing.
  ///
  /// - Throws: `VideoError`; then there is no new file at `path`, unless only its name could not be
  ///   synced.
  public func finish() throws(VideoError) {
    if case .finished = state { return }
    defer { state = .finished }
    guard frameCount > 0 else {
      replacement.discard()
      throw .noFrames(file: path)
    }
    do throws(VideoError) {
      if case .collecting(let images) = state { try writeGIF(images) }
      if case .writing(let encoder, let file) = state { try close(encoder, file) }
    } catch {
      replacement.discard()
      throw error
    }
    do throws(FileError) {
      try replacement.commit()
    } catch {
      throw .failed(file: path, step: "putting the video in place", reason: error.reason)
    }
  }

  private func writeGIF(_ images: [Image]) throws(VideoError) {
    let palette = ClipPalette(images)
    try open { () throws(FFmpegError) in
      PaletteFrames(width: width, height: height, palette: palette)
    }
    guard case .writing(let encoder, let file) = state else { return }
    for image in images { try write(image, encoder, file) }
  }

  private func write(
    _ image: Image, _ encoder: VideoEncoder, _ file: VideoFile
  ) throws(VideoError) {
    do throws(FFmpegError) {
      try encoder.encode(image, file.write)
    } catch {
      throw VideoError(error, file: path)
    }
  }

  private func close(_ encoder: VideoEncoder, _ file: VideoFile) throws(VideoError) {
    do throws(FFmpegError) {
      try encoder.finish(file.write)
      try file.finish()
    } catch {
      throw VideoError(error, file: path)
    }
  }

  /// A GIF is refused before its frames fill the memory.
  private func checkRoom() throws(VideoError) {
    guard (frameCount + 1) * width * height <= VideoWriter.gifPixelCountLimit else {
      throw .invalidSetting(
        file: path, setting: "the number of frames", found: "\(frameCount + 1) or more",
        expected: "at most \(frameCount) of \(width)x\(height) in a GIF; write an MP4")
    }
  }

  /// Opens the encoder and then the file.
  private func open(
    _ frames: () throws(FFmpegError) -> any EncoderFrames
  ) throws(VideoError) {
    var lastError: FFmpegError?
    for codec in try codecs() {
      do throws(FFmpegError) {
        let encoder = try VideoEncoder(codec: codec, frames: frames(), settings: settings)
        let file = try VideoFile(
          path: replacement.temporaryPath, container: container, encoder: encoder)
        state = .writing(encoder, file)
        return
      } catch {
        lastError = error
      }
    }
    if let lastError { throw VideoError(lastError, file: path) }
  }

  /// The encoders that this libavcodec has, best first; at least one.
  private func codecs() throws(VideoError) -> [UnsafePointer<AVCodec>] {
    let names = VideoEncoder.candidates(for: settings, container: container)
    let codecs = names.compactMap { avcodec_find_encoder_by_name($0) }
    guard !codecs.isEmpty else { throw .noEncoder(file: path, tried: names) }
    return codecs
  }
}

extension Clip {
  /// Writes a file, which appears under its name only when it is complete: an MP4, a GIF or an
  /// animated PNG, as the ending of the path says.
  ///
  /// - Throws: `VideoError`.
  public func write(to path: String) throws(VideoError) {
    try write(to: path, settings: VideoSettings(frameRate: frameRate))
  }

  /// Writes an MP4 file, whatever the ending of the path.
  ///
  /// - Throws: `VideoError`.
  public func writeMP4(to path: String) throws(VideoError) {
    try write(to: path, settings: VideoSettings(frameRate: frameRate, container: .mp4))
  }

  private func write(to path: String, settings: VideoSettings) throws(VideoError) {
    let writer = try VideoWriter(
      path: path, width: frames[0].width, height: frames[0].height, settings: settings)
    for frame in frames { try writer.append(frame) }
    try writer.finish()
  }
}

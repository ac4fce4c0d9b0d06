import CFFmpeg
import Files

/// An MP4 file written frame by frame: H.264 or MPEG-4, YUV 4:2:0, ready for browsers.
///
/// Frames go to a temporary file beside `path`, which takes its place in `finish`; a writer that is
/// dropped before leaves nothing. Odd sizes get their last column or row twice, because 4:2:0 needs
/// even ones. Equal frames and settings give equal files.
public final class VideoWriter {
  /// Where the finished video will be.
  public let path: String
  /// The size of every frame.
  public let width: Int, height: Int
  private let settings: VideoSettings
  private let replacement: FileReplacement
  /// Nil once finished.
  private var output: (encoder: VideoEncoder, file: MP4File)?

  /// The number of frames appended so far.
  public private(set) var frameCount = 0

  /// Begins a video with frames of one size.
  ///
  /// - Throws: `VideoError`.
  public init(
    path: String, width: Int, height: Int, settings: VideoSettings = VideoSettings()
  ) throws(VideoError) {
    try settings.check(file: path, width: width, height: height)
    VideoWriter.silenceLog
    self.path = path
    self.width = width
    self.height = height
    self.settings = settings
    do throws(FileError) {
      replacement = try FileReplacement(path: path)
    } catch {
      throw .failed(file: path, step: "creating the file", reason: error.reason)
    }
    let encoder = try VideoWriter.openEncoder(
      file: path, width: width, height: height, settings: settings)
    do {
      output = (encoder, try MP4File(path: replacement.temporaryPath, encoder: encoder))
    } catch {
      throw VideoError(error, file: path)
    }
  }

  /// Appends a frame; grey becomes RGB and transparent pixels show the background.
  ///
  /// - Throws: `VideoError`.
  public func append(_ image: Image) throws(VideoError) {
    guard let output else { preconditionFailure("\(path) is finished and takes no more frames") }
    guard image.width == width && image.height == height else {
      throw .wrongFrameSize(
        file: path, frame: frameCount, found: "\(image.width)x\(image.height)",
        expected: "\(width)x\(height)")
    }
    do {
      try output.encoder.encode(image.rgb(over: settings.background), output.file.write)
    } catch {
      throw VideoError(error, file: path)
    }
    frameCount += 1
  }

  /// Writes what the encoder still holds, closes the file and puts it in place; a second call does
  /// nothing.
  ///
  /// - Throws: `VideoError`; then there is no new file at `path`, unless only its name could not be
  ///   synced.
  public func finish() throws(VideoError) {
    guard let output else { return }
    self.output = nil
    guard frameCount > 0 else {
      replacement.discard()
      throw .noFrames(file: path)
    }
    do throws(FFmpegError) {
      try output.encoder.finish(output.file.write)
      try output.file.finish()
    } catch {
      replacement.discard()
      throw VideoError(error, file: path)
    }
    do throws(FileError) {
      try replacement.commit()
    } catch {
      replacement.discard()
      throw .failed(file: path, step: "putting the file in place", reason: error.reason)
    }
  }

  private static func openEncoder(
    file: String, width: Int, height: Int, settings: VideoSettings
  ) throws(VideoError) -> VideoEncoder {
    let names = VideoEncoder.candidates(for: settings.codec)
    var lastError: FFmpegError?
    for name in names {
      guard let codec = avcodec_find_encoder_by_name(name) else { continue }
      do {
        return try VideoEncoder(codec: codec, width: width, height: height, settings: settings)
      } catch {
        lastError = error
      }
    }
    if let lastError { throw VideoError(lastError, file: file) }
    throw .noEncoder(file: file, tried: names)
  }

  /// FFmpeg and x264 talk on stderr by default; what matters comes back as errors.
  private static let silenceLog: Void = av_log_set_level(AV_LOG_FATAL)
}

extension VideoError {
  init(_ error: FFmpegError, file: String) {
    self = .failed(file: file, step: error.step, reason: error.description)
  }
}

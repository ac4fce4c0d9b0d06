import CFFmpeg
import Files
import Glibc

/// How a video is encoded.
public struct VideoSettings: Sendable {
  /// An encoder, or the best one at hand.
  public enum Codec: String, CaseIterable, Sendable {
    /// H.264 where libavcodec has libx264, otherwise MPEG-4.
    case automatic
    /// H.264 through libx264.
    case h264
    /// MPEG-4 part 2.
    case mpeg4
  }

  /// Frames a second.
  public var frameRate: Double
  /// The constant rate factor of x264, 1 to 51, lower is better; 18 looks like the original.
  public var quality: Int
  /// The encoder.
  public var codec: Codec
  /// What transparent pixels are laid over.
  public var background: Color

  /// Makes settings; the defaults suit recordings of simulators and samples of models.
  public init(
    frameRate: Double = 24, quality: Int = 18, codec: Codec = .automatic, background: Color = .black
  ) {
    self.frameRate = frameRate
    self.quality = quality
    self.codec = codec
    self.background = background
  }

  func check(file: String, width: Int, height: Int) throws(VideoError) {
    guard (1...16_384).contains(width), (1...16_384).contains(height) else {
      throw .invalidSetting(
        file: file, setting: "the frame size", found: "\(width)x\(height)",
        expected: "1x1 to 16384x16384")
    }
    guard frameRate >= 0.01, frameRate <= 1_000 else {
      throw .invalidSetting(
        file: file, setting: "the frame rate", found: "\(frameRate)",
        expected: "0.01 to 1000 frames a second")
    }
    guard (1...51).contains(quality) else {
      throw .invalidSetting(
        file: file, setting: "the quality", found: "\(quality)", expected: "1 (best) to 51")
    }
  }
}

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

/// Why a video could not be written.
public enum VideoError: Error, Equatable {
  /// A step of writing failed; the reason comes from FFmpeg or the operating system.
  case failed(file: String, step: String, reason: String)
  /// This FFmpeg was built without a usable encoder.
  case noEncoder(file: String, tried: [String])
  /// A frame has another size than the video.
  case wrongFrameSize(file: String, frame: Int, found: String, expected: String)
  /// The video was finished before its first frame.
  case noFrames(file: String)
  /// The size, frame rate or quality asked for cannot be encoded.
  case invalidSetting(file: String, setting: String, found: String, expected: String)
}

extension VideoError: CustomStringConvertible {
  /// One sentence that names the file, what went wrong and what to do.
  public var description: String {
    switch self {
    case .failed(let file, let step, let reason):
      "cannot write \(file): \(step) failed: \(reason)"
    case .noEncoder(let file, let tried):
      "cannot write \(file): libavcodec has none of the encoders \(tried.joined(separator: ", ")); "
        + "install a complete FFmpeg"
    case .wrongFrameSize(let file, let frame, let found, let expected):
      "frame \(frame) of \(file) is \(found), the video \(expected); scale the frames to one size"
    case .noFrames(let file):
      "nothing to write to \(file): the video has no frames"
    case .invalidSetting(let file, let setting, let found, let expected):
      "cannot write \(file): \(setting) is \(found); it must be \(expected)"
    }
  }
}

/// A negative result of a libav function.
struct FFmpegError: Error, CustomStringConvertible {
  let code: Int32
  let step: String

  var description: String {
    var text = [CChar](repeating: 0, count: 128)
    av_strerror(code, &text, text.count)
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// `AVERROR(EAGAIN)` and `AVERROR_EOF`, which are macros.
  static let tryAgain = -EAGAIN
  static let endOfFile: Int32 = -0x2046_4F45

  /// Passes a result through, or throws it if it is negative.
  @discardableResult
  static func check(_ result: Int32, _ step: String) throws(FFmpegError) -> Int32 {
    guard result >= 0 else { throw FFmpegError(code: result, step: step) }
    return result
  }

  /// Passes a pointer through; null means that memory was lacking.
  static func check<Pointer>(_ pointer: Pointer?, _ step: String) throws(FFmpegError) -> Pointer {
    guard let pointer else { throw FFmpegError(code: -ENOMEM, step: step) }
    return pointer
  }
}

import CFFmpeg
import Glibc

/// Why a video could not be written or read.
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
  /// The file cannot be opened.
  case unreadable(file: String, reason: String)
  /// The file holds nothing that this FFmpeg can decode as a video.
  case notVideo(file: String, found: String)
  /// The file begins as a video and breaks off or contradicts itself.
  case damaged(file: String, reason: String)
  /// The file, or what was asked of it, is larger than what is read.
  case tooLarge(file: String, found: String, limit: String)
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
    case .unreadable(let file, let reason):
      "cannot read \(file): \(reason)"
    case .notVideo(let file, let found):
      "\(file) is not a video that can be read: \(found); convert it with: "
        + "ffmpeg -i '\(file)' video.mp4"
    case .damaged(let file, let reason):
      "\(file) is a damaged video: \(reason); make or copy the file again"
    case .tooLarge(let file, let found, let limit):
      "\(file) has \(found), more than \(limit), which is the limit; make it smaller or take fewer "
        + "frames"
    }
  }
}

extension VideoError {
  /// A failure while writing.
  init(_ error: FFmpegError, file: String) {
    self = .failed(file: file, step: error.step, reason: error.description)
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

  /// Other errors of FFmpeg's own: four bytes, negated.
  static let invalidData = -tag("INDA")
  static let unsupported = -tag("PAWE")
  static let noDecoder = -(tag("\0DEC") | 0xF8)
  static let noStream = -(tag("\0STR") | 0xF8)

  /// `AV_NOPTS_VALUE`, a macro too.
  static let noTime = Int64.min

  private static func tag(_ text: StaticString) -> Int32 {
    text.withUTF8Buffer { $0.reversed().reduce(0) { $0 << 8 | Int32($1) } }
  }

  /// FFmpeg and x264 talk on stderr by default; what matters comes back as errors.
  static let silenceLog: Void = av_log_set_level(AV_LOG_FATAL)

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

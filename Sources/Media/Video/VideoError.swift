import CFFmpeg
import Glibc

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

import CFFmpeg
import Glibc

/// An open encoder: images in, packets out.
final class VideoEncoder {
  let context: UnsafeMutablePointer<AVCodecContext>
  private let frames: any EncoderFrames
  private let frame: UnsafeMutablePointer<AVFrame>
  private let packet: UnsafeMutablePointer<AVPacket>
  private(set) var frameCount = 0

  /// The codecs to try, best first.
  static func candidates(for settings: VideoSettings, container: VideoSettings.Container)
    -> [String]
  {
    switch (container, settings.codec) {
    case (.gif, _): ["gif"]
    case (.apng, _): ["apng"]
    case (.mp4, .automatic): ["libx264", "mpeg4"]
    case (.mp4, .h264): ["libx264"]
    case (.mp4, .mpeg4): ["mpeg4"]
    }
  }

  init(
    codec: UnsafePointer<AVCodec>, frames: any EncoderFrames, settings: VideoSettings
  ) throws(FFmpegError) {
    self.frames = frames
    var context = avcodec_alloc_context3(codec)
    var frame = av_frame_alloc()
    var packet = av_packet_alloc()
    do throws(FFmpegError) {
      guard let context, let frame, let packet else {
        throw FFmpegError(code: -ENOMEM, step: "setting up the encoder")
      }
      context.pointee.width = Int32(frames.width)
      context.pointee.height = Int32(frames.height)
      context.pointee.pix_fmt = frames.pixelFormat
      VideoEncoder.configure(context, settings: settings)
      frames.tag(context)
      try FFmpegError.check(avcodec_open2(context, codec, nil), "opening the encoder")
      frame.pointee.format = frames.pixelFormat.rawValue
      frame.pointee.width = context.pointee.width
      frame.pointee.height = context.pointee.height
      try FFmpegError.check(av_frame_get_buffer(frame, 0), "setting up the encoder")
      (self.context, self.frame, self.packet) = (context, frame, packet)
    } catch {
      av_packet_free(&packet)
      av_frame_free(&frame)
      avcodec_free_context(&context)
      throw error
    }
  }

  deinit {
    var (packet, frame, context) = (Optional(packet), Optional(frame), Optional(context))
    av_packet_free(&packet)
    av_frame_free(&frame)
    avcodec_free_context(&context)
  }

  private static func configure(
    _ context: UnsafeMutablePointer<AVCodecContext>, settings: VideoSettings
  ) {
    // MPEG-4 stores the numerator in 16 bits.
    context.pointee.framerate = av_d2q(settings.frameRate, 65_535)
    context.pointee.time_base = av_inv_q(context.pointee.framerate)
    context.pointee.flags |= Int32(AV_CODEC_FLAG_GLOBAL_HEADER) | AV_CODEC_FLAG_BITEXACT
    switch context.pointee.codec_id {
    case AV_CODEC_ID_H264:
      av_opt_set(context.pointee.priv_data, "preset", "veryfast", 0)
      av_opt_set(context.pointee.priv_data, "crf", "\(settings.quality)", 0)
      // x264's macroblock tree reads memory that was never written (seen with AVX-512 and widths
      // that are no multiple of 128); without it equal frames give equal files. Files grow by a
      // third and gain 2 to 4 dB.
      av_opt_set(context.pointee.priv_data, "x264-params", "mbtree=0", 0)
      // A fixed number of threads, because x264's output depends on it.
      context.pointee.thread_count = 4
    case AV_CODEC_ID_MPEG4:
      // x264 at 18 is about as sharp as MPEG-4 at 3; six steps double the quantizer of either.
      let quantizer = max(1, min(31, 3 * exp2(Double(settings.quality - 18) / 6)))
      context.pointee.flags |= AV_CODEC_FLAG_QSCALE
      context.pointee.global_quality = Int32((quantizer * Double(FF_QP2LAMBDA)).rounded())
      context.pointee.thread_count = 1
    case AV_CODEC_ID_APNG:
      // The best of PNG's filters for every row: a fifth smaller on photographs.
      av_opt_set(context.pointee.priv_data, "pred", "mixed", 0)
      context.pointee.thread_count = 1
    default:
      context.pointee.thread_count = 1
    }
  }

  /// Encodes an image, and calls `body` with each packet that is ready.
  func encode(
    _ image: Image, _ body: (UnsafeMutablePointer<AVPacket>) throws(FFmpegError) -> Void
  ) throws(FFmpegError) {
    // The encoder may still hold the last image.
    try FFmpegError.check(av_frame_make_writable(frame), "setting up a frame")
    try frames.write(image, into: frame)
    frame.pointee.pts = Int64(frameCount)
    frame.pointee.quality = context.pointee.global_quality
    frameCount += 1
    try FFmpegError.check(avcodec_send_frame(context, frame), "encoding a frame")
    try drain(body)
  }

  /// Calls `body` with the packets that are left; no frame may follow.
  func finish(
    _ body: (UnsafeMutablePointer<AVPacket>) throws(FFmpegError) -> Void
  ) throws(FFmpegError) {
    try FFmpegError.check(avcodec_send_frame(context, nil), "encoding the last frames")
    try drain(body)
  }

  private func drain(
    _ body: (UnsafeMutablePointer<AVPacket>) throws(FFmpegError) -> Void
  ) throws(FFmpegError) {
    while true {
      let result = avcodec_receive_packet(context, packet)
      if result == FFmpegError.tryAgain || result == FFmpegError.endOfFile { return }
      try FFmpegError.check(result, "encoding a frame")
      defer { av_packet_unref(packet) }
      // Not every encoder says it, and the last frame would be shown for no time.
      packet.pointee.duration = 1
      try body(packet)
    }
  }
}

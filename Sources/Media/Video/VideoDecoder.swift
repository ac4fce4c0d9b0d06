import CFFmpeg
import Glibc

/// A video in memory that is decoded frame by frame.
final class VideoDecoder {
  /// The pixels of a frame; a larger one is refused before it gets memory.
  static let pixelCountLimit = 1 << 26

  let stream: UnsafeMutablePointer<AVStream>
  /// When the last packet so far ends, in the stream's time base; nil if no packet says so.
  private(set) var end: Double?
  /// How many frames were decoded so far.
  private(set) var frameCount = 0
  private let file: String
  private let input: VideoInput
  private let context: UnsafeMutablePointer<AVCodecContext>
  private let packet: UnsafeMutablePointer<AVPacket>
  private let frame: UnsafeMutablePointer<AVFrame>

  /// - Parameters:
  ///   - bytes: the whole file.
  ///   - file: its name, for errors.
  /// - Throws: `VideoError` if there is no video in it, or none that can be decoded.
  init(bytes: [UInt8], file: String) throws(VideoError) {
    let format = VideoFormat(bytes)
    if let reason = format.damage(in: bytes) { throw .damaged(file: file, reason: reason) }
    do throws(FFmpegError) {
      input = try VideoInput(bytes: bytes, format: format)
    } catch {
      if case .unknown = format {
        let start = bytes.prefix(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        throw .notVideo(file: file, found: "it begins with bytes \(start.joined(separator: " "))")
      }
      throw VideoDecoder.error(error, file: file, place: "")
    }
    let size = input.claimedSize
    guard size.width * size.height <= VideoDecoder.pixelCountLimit else {
      throw .tooLarge(
        file: file, found: "frames of \(size.width)x\(size.height)",
        limit: "\(VideoDecoder.pixelCountLimit) pixels")
    }
    do throws(FFmpegError) {
      stream = try input.videoStream()
      context = try VideoDecoder.open(stream)
    } catch {
      throw VideoDecoder.error(error, file: file, place: "")
    }
    var packet = av_packet_alloc()
    var frame = av_frame_alloc()
    guard let packet, let frame else {
      av_packet_free(&packet)
      av_frame_free(&frame)
      var context = Optional(context)
      avcodec_free_context(&context)
      throw .unreadable(file: file, reason: "there is no memory for it")
    }
    (self.packet, self.frame, self.file) = (packet, frame, file)
  }

  deinit {
    var (frame, packet, context) = (Optional(frame), Optional(packet), Optional(context))
    av_frame_free(&frame)
    av_packet_free(&packet)
    avcodec_free_context(&context)
  }

  private static func open(
    _ stream: UnsafeMutablePointer<AVStream>
  ) throws(FFmpegError) -> UnsafeMutablePointer<AVCodecContext> {
    guard let codec = avcodec_find_decoder(stream.pointee.codecpar.pointee.codec_id) else {
      throw FFmpegError(code: FFmpegError.noDecoder, step: "opening the decoder")
    }
    var context = avcodec_alloc_context3(codec)
    do throws(FFmpegError) {
      let opened = try FFmpegError.check(context, "setting up the decoder")
      try FFmpegError.check(
        avcodec_parameters_to_context(opened, stream.pointee.codecpar), "setting up the decoder")
      opened.pointee.pkt_timebase = stream.pointee.time_base
      opened.pointee.max_pixels = Int64(VideoDecoder.pixelCountLimit)
      // What does not fit its checksum or its standard is an error, not half a frame.
      opened.pointee.err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE
      opened.pointee.thread_count = 1
      try FFmpegError.check(avcodec_open2(opened, codec, nil), "opening the decoder")
      return opened
    } catch {
      avcodec_free_context(&context)
      throw error
    }
  }

  /// Decodes the next frame, which is valid until the next call; nil after the last.
  ///
  /// - Throws: `VideoError`.
  func next() throws(VideoError) -> UnsafeMutablePointer<AVFrame>? {
    do throws(FFmpegError) {
      guard let frame = try decoded() else { return nil }
      frameCount += 1
      return frame
    } catch {
      throw videoError(error)
    }
  }

  /// What a failure of libav means for this file.
  func videoError(_ error: FFmpegError) -> VideoError {
    VideoDecoder.error(error, file: file, place: " after \(frameCount) frames")
  }

  private static func error(_ error: FFmpegError, file: String, place: String) -> VideoError {
    switch error.code {
    case FFmpegError.noDecoder, FFmpegError.noStream, FFmpegError.unsupported:
      .notVideo(file: file, found: "\(error.step) failed: \(error.description)")
    case -ENOMEM:
      .unreadable(file: file, reason: "there is no memory for it")
    default:
      .damaged(file: file, reason: "\(error.step) failed\(place): \(error.description)")
    }
  }

  private func decoded() throws(FFmpegError) -> UnsafeMutablePointer<AVFrame>? {
    while true {
      let result = avcodec_receive_frame(context, frame)
      if result == FFmpegError.endOfFile { return nil }
      if result == FFmpegError.tryAgain {
        try feed()
        continue
      }
      try FFmpegError.check(result, "decoding")
      // Decoders may guess what is missing.
      let guessed = FF_DECODE_ERROR_INVALID_BITSTREAM | FF_DECODE_ERROR_CONCEALMENT_ACTIVE
      guard frame.pointee.flags & AV_FRAME_FLAG_CORRUPT == 0,
        frame.pointee.decode_error_flags & guessed == 0
      else { throw FFmpegError(code: FFmpegError.invalidData, step: "decoding") }
      return frame
    }
  }

  /// Gives the decoder the next packet of the video, or the end.
  private func feed() throws(FFmpegError) {
    while true {
      let result = av_read_frame(input.context, packet)
      if result == FFmpegError.endOfFile {
        try FFmpegError.check(avcodec_send_packet(context, nil), "decoding the last frames")
        return
      }
      try FFmpegError.check(result, "reading")
      defer { av_packet_unref(packet) }
      guard packet.pointee.stream_index == stream.pointee.index else { continue }
      guard packet.pointee.flags & AV_PKT_FLAG_CORRUPT == 0 else {
        throw FFmpegError(code: FFmpegError.invalidData, step: "reading")
      }
      if packet.pointee.pts != FFmpegError.noTime, packet.pointee.duration > 0 {
        let packetEnd = Double(packet.pointee.pts) + Double(packet.pointee.duration)
        end = max(end ?? packetEnd, packetEnd)
      }
      try FFmpegError.check(avcodec_send_packet(context, packet), "decoding")
      return
    }
  }
}

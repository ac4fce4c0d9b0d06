import CFFmpeg
import Glibc

/// A file that is being written, with one video stream.
final class VideoFile {
  private let context: UnsafeMutablePointer<AVFormatContext>
  private let stream: UnsafeMutablePointer<AVStream>
  private let encoderTimeBase: AVRational

  /// Creates the file and writes its header.
  init(
    path: String, container: VideoSettings.Container, encoder: VideoEncoder
  ) throws(FFmpegError) {
    var context: UnsafeMutablePointer<AVFormatContext>?
    do throws(FFmpegError) {
      // With the protocol named, a colon in the path is not taken for one.
      try FFmpegError.check(
        avformat_alloc_output_context2(&context, nil, container.rawValue, "file:\(path)"),
        "setting up the file")
      guard let context else { throw FFmpegError(code: -ENOMEM, step: "setting up the file") }
      stream = try FFmpegError.check(avformat_new_stream(context, nil), "setting up the file")
      try FFmpegError.check(
        avcodec_parameters_from_context(stream.pointee.codecpar, encoder.context),
        "setting up the file")
      encoderTimeBase = encoder.context.pointee.time_base
      stream.pointee.time_base = encoderTimeBase
      stream.pointee.avg_frame_rate = encoder.context.pointee.framerate
      context.pointee.flags |= AVFMT_FLAG_BITEXACT
      try FFmpegError.check(
        avio_open(&context.pointee.pb, context.pointee.url, AVIO_FLAG_WRITE), "creating the file")
      VideoFile.configure(context, container)
      try FFmpegError.check(avformat_write_header(context, nil), "writing the header")
      self.context = context
    } catch {
      if let context { avio_closep(&context.pointee.pb) }
      avformat_free_context(context)
      throw error
    }
  }

  deinit {
    avio_closep(&context.pointee.pb)
    avformat_free_context(context)
  }

  private static func configure(
    _ context: UnsafeMutablePointer<AVFormatContext>, _ container: VideoSettings.Container
  ) {
    switch container {
    case .mp4:
      // The index goes before the images, so that a browser can start at once.
      av_opt_set(context.pointee.priv_data, "movflags", "+faststart", 0)
    case .gif:
      av_opt_set(context.pointee.priv_data, "loop", "0", 0)  // for ever
    case .apng:
      av_opt_set(context.pointee.priv_data, "plays", "0", 0)  // for ever
    }
  }

  func write(_ packet: UnsafeMutablePointer<AVPacket>) throws(FFmpegError) {
    packet.pointee.stream_index = stream.pointee.index
    av_packet_rescale_ts(packet, encoderTimeBase, stream.pointee.time_base)
    try FFmpegError.check(av_interleaved_write_frame(context, packet), "writing a frame")
  }

  /// Writes the index and closes the file.
  func finish() throws(FFmpegError) {
    try FFmpegError.check(av_write_trailer(context), "writing the index")
    try FFmpegError.check(avio_closep(&context.pointee.pb), "closing the file")
  }
}

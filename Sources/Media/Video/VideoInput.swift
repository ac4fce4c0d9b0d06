import CFFmpeg
import Glibc

/// The streams of a file in memory.
///
/// libavformat gets the bytes alone, no name and no way to open another file.
final class VideoInput {
  let context: UnsafeMutablePointer<AVFormatContext>
  /// The size of the largest frames, as the header says; decoders may say none.
  let claimedSize: (width: Int, height: Int)
  private let source: ByteSource
  private let io: UnsafeMutablePointer<AVIOContext>

  init(bytes: [UInt8], format: VideoFormat) throws(FFmpegError) {
    source = ByteSource(bytes)
    var io: UnsafeMutablePointer<AVIOContext>? = try source.makeIO()
    var context = avformat_alloc_context()
    var options: OpaquePointer?
    defer { av_dict_free(&options) }
    av_dict_set(&options, "protocol_whitelist", "none", 0)
    if format.demuxer == nil {
      av_dict_set(&options, "format_whitelist", VideoFormat.otherDemuxers, 0)
    }
    do throws(FFmpegError) {
      guard let opened = context, let openedIO = io else {
        throw FFmpegError(code: -ENOMEM, step: "setting up the file")
      }
      opened.pointee.pb = openedIO
      // This frees the context where it fails.
      try FFmpegError.check(
        avformat_open_input(
          &context, nil, format.demuxer.flatMap { av_find_input_format($0) }, &options),
        "opening it")
      claimedSize = VideoInput.claimedSize(opened)
      if claimedSize.width * claimedSize.height <= VideoDecoder.pixelCountLimit {
        try VideoInput.findStreams(opened)
      }
      (self.context, self.io) = (opened, openedIO)
    } catch {
      avformat_close_input(&context)
      ByteSource.free(&io)
      throw error
    }
  }

  deinit {
    var (context, io) = (Optional(context), Optional(io))
    avformat_close_input(&context)
    ByteSource.free(&io)
  }

  private static func claimedSize(
    _ context: UnsafeMutablePointer<AVFormatContext>
  ) -> (width: Int, height: Int) {
    let sizes = (0..<Int(context.pointee.nb_streams)).compactMap { index in
      context.pointee.streams[index].map {
        (
          width: Int($0.pointee.codecpar.pointee.width),
          height: Int($0.pointee.codecpar.pointee.height)
        )
      }
    }
    return sizes.max { $0.width * $0.height < $1.width * $1.height } ?? (0, 0)
  }

  /// Looks into the streams for what the header does not say, in frames that are not too large.
  private static func findStreams(
    _ context: UnsafeMutablePointer<AVFormatContext>
  ) throws(FFmpegError) {
    // Room for streams that turn up meanwhile is not needed: libavformat reads as many as there are
    // now.
    var options = [OpaquePointer?](repeating: nil, count: Int(context.pointee.nb_streams) + 1)
    let limit = "\(VideoDecoder.pixelCountLimit)"
    for index in options.indices { av_dict_set(&options[index], "max_pixels", limit, 0) }
    defer { for index in options.indices { av_dict_free(&options[index]) } }
    try FFmpegError.check(avformat_find_stream_info(context, &options), "looking into it")
  }

  /// The video that a player would show.
  func videoStream() throws(FFmpegError) -> UnsafeMutablePointer<AVStream> {
    let index = try FFmpegError.check(
      av_find_best_stream(context, AVMEDIA_TYPE_VIDEO, -1, -1, nil, 0), "finding a video in it")
    guard let stream = context.pointee.streams[Int(index)],
      stream.pointee.disposition & AV_DISPOSITION_ATTACHED_PIC == 0
    else { throw FFmpegError(code: FFmpegError.noStream, step: "finding a video in it") }
    return stream
  }
}

/// Bytes that libavformat reads as if they were a file.
private final class ByteSource {
  private let bytes: [UInt8]
  private var offset = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Makes a reader, which `free` frees, and which must not outlive the bytes.
  func makeIO() throws(FFmpegError) -> UnsafeMutablePointer<AVIOContext> {
    let size = 1 << 15
    let buffer = try FFmpegError.check(av_malloc(size), "setting up the file")
    let io = avio_alloc_context(
      buffer.assumingMemoryBound(to: UInt8.self), Int32(size), 0,
      Unmanaged.passUnretained(self).toOpaque(),
      { source, target, count in ByteSource.at(source).read(into: target, count: Int(count)) },
      nil,
      { source, offset, origin in ByteSource.at(source).seek(offset, origin) })
    if io == nil { av_free(buffer) }
    return try FFmpegError.check(io, "setting up the file")
  }

  static func free(_ io: inout UnsafeMutablePointer<AVIOContext>?) {
    if let io { av_free(io.pointee.buffer) }
    avio_context_free(&io)
  }

  private static func at(_ pointer: UnsafeMutableRawPointer?) -> ByteSource {
    guard let pointer else { preconditionFailure("libavformat has lost its file") }
    return Unmanaged<ByteSource>.fromOpaque(pointer).takeUnretainedValue()
  }

  private func read(into target: UnsafeMutablePointer<UInt8>?, count: Int) -> Int32 {
    let count = min(count, bytes.count - offset)
    guard let target, count > 0 else { return FFmpegError.endOfFile }
    bytes.withUnsafeBufferPointer { bytes in
      if let start = bytes.baseAddress { target.update(from: start + offset, count: count) }
    }
    offset += count
    return Int32(count)
  }

  /// Moves to an offset, or tells the size.
  private func seek(_ offset: Int64, _ origin: Int32) -> Int64 {
    let start: Int
    switch origin & ~AVSEEK_FORCE {
    case AVSEEK_SIZE: return Int64(bytes.count)
    case SEEK_SET: start = 0
    case SEEK_CUR: start = self.offset
    case SEEK_END: start = bytes.count
    default: return Int64(-EINVAL)
    }
    let (target, overflows) = start.addingReportingOverflow(Int(offset))
    guard !overflows, (0...bytes.count).contains(target) else { return Int64(-EINVAL) }
    self.offset = target
    return Int64(target)
  }
}

import CFFmpeg
import Glibc

/// An open H.264 or MPEG-4 encoder: frames in, packets out.
final class VideoEncoder {
  let context: UnsafeMutablePointer<AVCodecContext>
  private let converter: FrameConverter
  private let frame: UnsafeMutablePointer<AVFrame>
  private let packet: UnsafeMutablePointer<AVPacket>
  private(set) var frameCount = 0

  /// The codecs to try, best first.
  static func candidates(for codec: VideoSettings.Codec) -> [String] {
    switch codec {
    case .automatic: ["libx264", "mpeg4"]
    case .h264: ["libx264"]
    case .mpeg4: ["mpeg4"]
    }
  }

  init(
    codec: UnsafePointer<AVCodec>, width: Int, height: Int, settings: VideoSettings
  ) throws(FFmpegError) {
    let colors = VideoColors(height: height)
    converter = try FrameConverter(width: width, height: height, colors: colors)
    var context = avcodec_alloc_context3(codec)
    var frame = av_frame_alloc()
    var packet = av_packet_alloc()
    do throws(FFmpegError) {
      guard let context, let frame, let packet else {
        throw FFmpegError(code: -ENOMEM, step: "setting up the encoder")
      }
      VideoEncoder.configure(context, width: width, height: height, settings: settings)
      colors.tag(context)
      try FFmpegError.check(avcodec_open2(context, codec, nil), "opening the encoder")
      frame.pointee.format = AV_PIX_FMT_YUV420P.rawValue
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
    _ context: UnsafeMutablePointer<AVCodecContext>, width: Int, height: Int,
    settings: VideoSettings
  ) {
    context.pointee.width = Int32(width + width % 2)
    context.pointee.height = Int32(height + height % 2)
    context.pointee.pix_fmt = AV_PIX_FMT_YUV420P
    // MPEG-4 stores the numerator in 16 bits.
    context.pointee.framerate = av_d2q(settings.frameRate, 65_535)
    context.pointee.time_base = av_inv_q(context.pointee.framerate)
    context.pointee.flags |= Int32(AV_CODEC_FLAG_GLOBAL_HEADER) | AV_CODEC_FLAG_BITEXACT
    if context.pointee.codec_id == AV_CODEC_ID_H264 {
      av_opt_set(context.pointee.priv_data, "preset", "veryfast", 0)
      av_opt_set(context.pointee.priv_data, "crf", "\(settings.quality)", 0)
      // x264's macroblock tree reads memory that was never written (seen with AVX-512 and widths
      // that are no multiple of 128); without it equal frames give equal files. Files grow by a
      // third and gain 2 to 4 dB.
      av_opt_set(context.pointee.priv_data, "x264-params", "mbtree=0", 0)
      // A fixed number of threads, because x264's output depends on it.
      context.pointee.thread_count = 4
    } else {
      // x264 at 18 is about as sharp as MPEG-4 at 3; six steps double the quantizer of either.
      let quantizer = max(1, min(31, 3 * exp2(Double(settings.quality - 18) / 6)))
      context.pointee.flags |= AV_CODEC_FLAG_QSCALE
      context.pointee.global_quality = Int32((quantizer * Double(FF_QP2LAMBDA)).rounded())
      context.pointee.thread_count = 1
    }
  }

  /// Encodes an RGB image, and calls `body` with each packet that is ready.
  func encode(
    _ image: Image, _ body: (UnsafeMutablePointer<AVPacket>) throws(FFmpegError) -> Void
  ) throws(FFmpegError) {
    // The encoder may still hold the last image.
    try FFmpegError.check(av_frame_make_writable(frame), "setting up a frame")
    try converter.convert(image, into: frame)
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

/// Turns RGB images into YUV 4:2:0 frames of even size.
final class FrameConverter {
  let width: Int
  let height: Int
  private let encodedWidth: Int
  private let encodedHeight: Int
  private let scaler: OpaquePointer
  /// An image with its last column and row repeated, where the size is odd.
  private var paddedSamples: [UInt8] = []

  init(width: Int, height: Int, colors: VideoColors) throws(FFmpegError) {
    self.width = width
    self.height = height
    encodedWidth = width + width % 2
    encodedHeight = height + height % 2
    let (width, height) = (Int32(encodedWidth), Int32(encodedHeight))
    // Without these flags chroma is taken from every other pixel only, and rounding drifts.
    let flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP
    scaler = try FFmpegError.check(
      sws_getContext(
        width, height, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P, flags, nil, nil, nil),
      "preparing the color conversion")
    let table = sws_getCoefficients(colors.scalerTable)
    let one: Int32 = 1 << 16
    sws_setColorspaceDetails(scaler, table, 1, table, 0, 0, one, one)
  }

  deinit { sws_freeContext(scaler) }

  /// Writes an image into a frame.
  func convert(_ image: Image, into frame: UnsafeMutablePointer<AVFrame>) throws(FFmpegError) {
    let result: Int32
    if encodedWidth == width && encodedHeight == height {
      result = scale(image.samples, into: frame)
    } else {
      pad(image)
      result = scale(paddedSamples, into: frame)
    }
    try FFmpegError.check(result, "converting colors")
  }

  private func scale(_ samples: [UInt8], into frame: UnsafeMutablePointer<AVFrame>) -> Int32 {
    samples.withUnsafeBufferPointer { samples in
      let data = frame.pointee.data
      let strides = frame.pointee.linesize
      return sws_scale(
        scaler, [samples.baseAddress], [Int32(encodedWidth * 3)], 0, Int32(encodedHeight),
        [data.0, data.1, data.2], [strides.0, strides.1, strides.2])
    }
  }

  private func pad(_ image: Image) {
    paddedSamples.removeAll(keepingCapacity: true)
    for row in 0..<encodedHeight {
      let start = min(row, height - 1) * width * 3
      paddedSamples.append(contentsOf: image.samples[start..<start + width * 3])
      if encodedWidth > width {
        paddedSamples.append(contentsOf: image.samples[start + width * 3 - 3..<start + width * 3])
      }
    }
  }
}

/// How a video's colors are coded, and tagged so that players know.
///
/// Players that ignore the tags guess by the height; following their rule keeps colors right there
/// too: BT.601 below 720 rows, BT.709 from there.
struct VideoColors {
  let matrix: AVColorSpace
  let scalerTable: Int32

  init(height: Int) {
    matrix = height < 720 ? AVCOL_SPC_SMPTE170M : AVCOL_SPC_BT709
    scalerTable = height < 720 ? SWS_CS_ITU601 : SWS_CS_ITU709
  }

  /// Images are sRGB: its primaries are those of BT.709, its transfer is its own.
  func tag(_ context: UnsafeMutablePointer<AVCodecContext>) {
    context.pointee.colorspace = matrix
    context.pointee.color_primaries = AVCOL_PRI_BT709
    context.pointee.color_trc = AVCOL_TRC_IEC61966_2_1
    context.pointee.color_range = AVCOL_RANGE_MPEG
    context.pointee.chroma_sample_location = AVCHROMA_LOC_CENTER
  }
}

/// An MP4 file that is being written, with one video stream.
final class MP4File {
  private let context: UnsafeMutablePointer<AVFormatContext>
  private let stream: UnsafeMutablePointer<AVStream>
  private let encoderTimeBase: AVRational

  /// Creates the file and writes its header.
  init(path: String, encoder: VideoEncoder) throws(FFmpegError) {
    var context: UnsafeMutablePointer<AVFormatContext>?
    do throws(FFmpegError) {
      // With the protocol named, a colon in the path is not taken for one.
      try FFmpegError.check(
        avformat_alloc_output_context2(&context, nil, "mp4", "file:\(path)"), "setting up the file")
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
      // The index goes before the images, so that a browser can start at once.
      av_opt_set(context.pointee.priv_data, "movflags", "+faststart", 0)
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

import CFFmpeg

/// Turns decoded frames of one size into RGB images, with the colors that the stream says it has.
final class DecodedFrames {
  private let background: Color
  private var scaler: (kind: Kind, context: OpaquePointer, target: UnsafeMutablePointer<AVFrame>)?

  /// What a conversion depends on.
  private struct Kind: Equatable {
    var format: Int32
    var width: Int32, height: Int32
    var scalerTable: Int32
    var isFullRange: Bool
    var hasAlpha: Bool
  }

  /// - Parameter background: what transparent pixels are laid over.
  init(background: Color) { self.background = background }

  deinit { freeScaler() }

  /// Converts a frame.
  func image(_ frame: UnsafeMutablePointer<AVFrame>) throws(FFmpegError) -> Image {
    let kind = try DecodedFrames.kind(of: frame)
    let (scaler, target) = try prepare(kind)
    let rows = withUnsafePointer(to: &frame.pointee.data) { data in
      withUnsafePointer(to: &frame.pointee.linesize) { strides in
        withUnsafePointer(to: &target.pointee.data) { targetData in
          withUnsafePointer(to: &target.pointee.linesize) { targetStrides in
            sws_scale(
              scaler,
              UnsafeRawPointer(data).assumingMemoryBound(to: UnsafePointer<UInt8>?.self),
              UnsafeRawPointer(strides).assumingMemoryBound(to: Int32.self), 0, kind.height,
              UnsafeRawPointer(targetData).assumingMemoryBound(
                to: UnsafeMutablePointer<UInt8>?.self),
              UnsafeRawPointer(targetStrides).assumingMemoryBound(to: Int32.self))
          }
        }
      }
    }
    try FFmpegError.check(rows, "converting colors")
    let samples = try FFmpegError.check(target.pointee.data.0, "converting colors")
    return DecodedFrames.image(
      samples, stride: Int(target.pointee.linesize.0), width: Int(kind.width),
      height: Int(kind.height), channelCount: kind.hasAlpha ? 4 : 3
    ).rgb(over: background)
  }

  private static func image(
    _ source: UnsafeMutablePointer<UInt8>, stride: Int, width: Int, height: Int, channelCount: Int
  ) -> Image {
    Image(width: width, height: height, channelCount: channelCount) { target in
      guard let start = target.baseAddress else { return }
      let rowSize = width * channelCount
      for row in 0..<height {
        (start + row * rowSize).update(from: source + row * stride, count: rowSize)
      }
    }
  }

  private static func kind(of frame: UnsafeMutablePointer<AVFrame>) throws(FFmpegError) -> Kind {
    let format = AVPixelFormat(rawValue: frame.pointee.format)
    let description = try FFmpegError.check(
      av_pix_fmt_desc_get(format), "finding out the kind of pixels")
    let flags = description.pointee.flags
    let colors = VideoColors(
      tagged: frame.pointee.colorspace, height: Int(frame.pointee.height))
    guard let colors else {
      throw FFmpegError(code: FFmpegError.unsupported, step: "converting its matrix of colors")
    }
    // Grey that does not say so has its whole range, as in images.
    let isGrey = description.pointee.nb_components <= 2
    return Kind(
      format: frame.pointee.format, width: frame.pointee.width, height: frame.pointee.height,
      scalerTable: colors.scalerTable,
      isFullRange: frame.pointee.color_range == AVCOL_RANGE_JPEG
        || isGrey && frame.pointee.color_range == AVCOL_RANGE_UNSPECIFIED,
      hasAlpha: flags & UInt64(AV_PIX_FMT_FLAG_ALPHA) != 0)
  }

  /// The converter of frames of a kind, and the frame that it fills.
  private func prepare(
    _ kind: Kind
  ) throws(FFmpegError) -> (OpaquePointer, UnsafeMutablePointer<AVFrame>) {
    if let scaler, scaler.kind == kind { return (scaler.context, scaler.target) }
    freeScaler()
    let (width, height) = (kind.width, kind.height)
    let format = kind.hasAlpha ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24
    // Without these flags chroma is repeated instead of interpolated, and rounding drifts.
    let flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT
    // A frame of libav's has room for what the converter writes beyond the rows.
    var target = av_frame_alloc()
    do throws(FFmpegError) {
      let frame = try FFmpegError.check(target, "converting colors")
      frame.pointee.format = format.rawValue
      frame.pointee.width = width
      frame.pointee.height = height
      try FFmpegError.check(av_frame_get_buffer(frame, 0), "converting colors")
      let context = try FFmpegError.check(
        sws_getContext(
          width, height, AVPixelFormat(rawValue: kind.format), width, height, format, flags, nil,
          nil, nil),
        "converting colors")
      let table = sws_getCoefficients(kind.scalerTable)
      let one: Int32 = 1 << 16
      sws_setColorspaceDetails(context, table, kind.isFullRange ? 1 : 0, table, 1, 0, one, one)
      scaler = (kind, context, frame)
      return (context, frame)
    } catch {
      av_frame_free(&target)
      throw error
    }
  }

  private func freeScaler() {
    guard let scaler else { return }
    sws_freeContext(scaler.context)
    var target = Optional(scaler.target)
    av_frame_free(&target)
    self.scaler = nil
  }
}

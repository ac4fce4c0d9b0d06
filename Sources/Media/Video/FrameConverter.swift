import CFFmpeg

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
